// Several threads on one image.
#include "runtime/run/team.h"

#include <sched.h>

#include <algorithm>

#include "runtime/run/spin.h"

namespace ticket::runtime {
namespace {

constexpr int kSpins = 20000;  // some tens of microseconds: longer than a share's fair delay

// Waits in place, for a wake-up would take longer than a step.
void wait_for(const std::atomic<std::int64_t>& counter, std::int64_t least) {
  for (int spins = 0; counter.load(std::memory_order_acquire) < least; ++spins) {
    if (spins > kSpins) sched_yield();  // the other thread has lost its core
    spin_pause();
  }
}

std::int32_t power_of_two(int most) {
  std::int32_t parts = 1;
  while (parts * 2 <= most) parts *= 2;
  return parts;
}

}  // namespace

Team::Team(const Program& program, const LaneKernels& kernels, const void* block, float* arena,
           const Images& images, int threads)
    : program_(program), kernels_(kernels), block_(block), arena_(arena), images_(images),
      parts_(power_of_two(std::min(threads, kMostParts))) {}

void Team::work() {
  const std::int32_t own = threads_.fetch_add(1, std::memory_order_relaxed);
  for (std::int64_t number = 0; number < program_.step_count; ++number) {
    wait_for(done_, number * parts_);
    for (std::int32_t k = 0; k < parts_; ++k) {
      const Share share{(own + k) % parts_, parts_};
      std::int64_t before = number;
      if (!taken_[static_cast<std::size_t>(share.part)].compare_exchange_strong(
              before, number + 1, std::memory_order_relaxed)) {
        continue;
      }
      run_step(program_, number, share, kernels_, block_, arena_, images_);
      done_.fetch_add(1, std::memory_order_release);
    }
  }
}

}  // namespace ticket::runtime
