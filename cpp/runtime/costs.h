// What an instruction set's kernels take, for the choice between ways to run a batch.
#pragma once

namespace ticket::runtime {

// Cycles, fitted to whole networks; only their ratios matter.
struct Costs {
  double vector;         // one image in blocks: one tap's multiply-add with a vector in L1
  double tap;            // beside its vectors
  double filter;         // an output channel's begin and end
  double filter_vector;  // and for each of its vectors
  double batch_vector;   // sixteen images at once: one tap's multiply-add
  double batch_filter;   // a vector of an output channel, beside its taps
  double pass;           // to bring a vector from one layout into the other
};

}  // namespace ticket::runtime
