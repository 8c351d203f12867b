// What an instruction set's kernels take, for the choice between ways to run a batch.
#pragma once

namespace ticket::runtime {

// Cycles, fitted to whole networks; only their ratios matter.  As given, AVX-512's (Zen 4).
struct Costs {
  double vector = 1.35;        // one image in blocks: one tap's multiply-add with a vector in L1
  double tap = 3.5;            // beside its vectors
  double filter = 0;           // an output channel's begin and end
  double filter_vector = 0;    // and for each of its vectors
  double batch_vector = 1.55;  // sixteen images at once: one tap's multiply-add
  double batch_filter = 0;     // a vector of an output channel, beside its taps
  double winograd = 1.05;       // one vector's product at a point (see winograd.h)
  double winograd_enter = 230;  // a channel's tile to the points
  double winograd_leave = 180;  // and back
  double pass = 4;             // to bring a vector from one layout into the other
};

// What one step of sixteen rows that are looked up takes.
struct Lookups {
  int window = 0;  // floats: two registers hold them and a zero behind them
  int taps = 0;    // that take as long, one by one
};

}  // namespace ticket::runtime
