// Several threads on one image.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/steps.h"

namespace ticket::runtime {

// The shares of all steps in a row, each taken by whoever comes first.  A share waits for all those
// of the step before, which others have taken earlier and are at work on: so whoever comes late,
// or not at all, holds nobody up for longer than a share takes.
class Team {
 public:
  // `threads` at the most; they all call work().
  Team(const Program& program, const LaneKernels& kernels, const void* block, float* arena,
       const Images& images, int threads);

  void work();

 private:
  const Program& program_;
  const LaneKernels& kernels_;
  const void* const block_;
  float* const arena_;
  const Images& images_;
  std::int32_t parts_ = 1;
  std::atomic<std::int64_t> next_{0};
  std::atomic<std::int64_t> done_{0};
};

}  // namespace ticket::runtime
