// From a draft with its memory to the steps in the block.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/lanes/lane_kernels.h"
#include "runtime/pack/block_bytes.h"
#include "runtime/pack/draft.h"

namespace ticket::runtime {

// A program on its way into the block.
struct Emission {
  const Draft& draft;
  const Placement& placement;
  const LaneKernels& kernels;
  BlockBytes& block;
  std::int64_t scratch_at = 0;  // behind the tensors: where a step may use memory as it likes,
  std::int64_t scratch = 0;     // and how many floats
  std::int64_t seams = 0;
  std::vector<Step> steps = {};

  const Geometry& geometry(int tensor) const { return draft.geometry(tensor); }

  Place place(int tensor) const {
    return place_of(geometry(tensor), placement.at[static_cast<std::size_t>(tensor)]);
  }

  template <typename Record>
  void step(Kind kind, const Record& record) {
    Step step;
    step.kind = kind;
    step.shared = can_share(kind) ? 1 : 0;
    step.record = block.add(&record, 1);
    steps.push_back(step);
  }
};

// What must follow a write of this tensor.
Edges edges_of(const Geometry& geometry);

void emit_conv(Emission& to, const Task& task);
void emit_plain_product(Emission& to, const Task& task);

// Puts the draft's steps into the block.  False, with one line in *error, if it is too large for
// the kernels' offsets.
bool emit(const Draft& draft, const LaneKernels& kernels, BlockBytes* block, Program* program,
          std::string* error);

}  // namespace ticket::runtime
