// Several threads on one image.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "runtime/run/steps.h"

namespace ticket::runtime {

constexpr int kMostParts = 16;  // beyond, a step's shares are too short

// Each thread takes the same share of every step, so that what it needs is in its own cache, and
// then those that nobody has begun.  A share waits for all those of the step before, which others
// have taken earlier and are at work on: so whoever comes late, or not at all, holds nobody up for
// longer than a share takes.
class Team {
 public:
  // `threads` at the most; they all call work().
  Team(const Program& program, const LaneKernels& kernels, const void* block, float* arena,
       const Images& images, int threads);

  // Threads that have something to do.
  int parts() const { return parts_; }

  void work();

 private:
  const Program& program_;
  const LaneKernels& kernels_;
  const void* const block_;
  float* const arena_;
  const Images& images_;
  const std::int32_t parts_;
  std::array<std::atomic<std::int64_t>, kMostParts> taken_{};  // steps of each part
  std::atomic<std::int32_t> threads_{0};
  std::atomic<std::int64_t> done_{0};
};

}  // namespace ticket::runtime
