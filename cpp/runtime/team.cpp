// Several threads on one image.
#include "runtime/team.h"

#include <sched.h>

#include "runtime/spin.h"

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

}  // namespace

Team::Team(const Program& program, const LaneKernels& kernels, const void* block, float* arena,
           const Images& images, int threads)
    : program_(program), kernels_(kernels), block_(block), arena_(arena), images_(images) {
  while (parts_ * 2 <= threads) parts_ *= 2;
}

void Team::work() {
  for (;;) {
    const std::int64_t item = next_.fetch_add(1, std::memory_order_relaxed);
    const std::int64_t number = item / parts_;
    if (number >= program_.step_count) break;
    wait_for(done_, number * parts_);
    const Share share{static_cast<std::int32_t>(item % parts_), parts_};
    run_step(program_, number, share, kernels_, block_, arena_, images_);
    done_.fetch_add(1, std::memory_order_release);
  }
}

}  // namespace ticket::runtime
