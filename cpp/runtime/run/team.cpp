// Several threads on one image.
#include "runtime/run/team.h"

#include <sched.h>

#include <algorithm>

#include "runtime/run/seams.h"
#include "runtime/run/spin.h"

namespace ticket::runtime {
namespace {

// Looks at what others do before a part that nobody has begun is taken from whose it is, some
// microseconds, and before the core is given to others, some tens of microseconds.
constexpr int kPatience = 100, kSpins = 20000;

}  // namespace

int parts_for(int threads) {
  int parts = 1;
  while (parts * 2 <= std::min(threads, kMostParts)) parts *= 2;
  return parts;
}

void Team::run_part(const Stretch& stretch, std::int64_t number, std::int32_t part) const {
  if (!stretch.halved) {
    return run_step(stretch.program, number, {part, parts_}, kernels_, block_, stretch.arenas[0],
                    stretch.images[0]);
  }
  const auto half = static_cast<std::size_t>(part);
  float* const arena = stretch.arenas[half];
  const Step& step = inside<Step>(block_, stretch.program.steps)[number];
  switch (step.kind) {
    case Kind::kSeamOut: return seam_out(*inside<SeamStep>(block_, step.record), part, arena);
    case Kind::kSeamIn:
      return seam_in(*inside<SeamStep>(block_, step.record), part, arena,
                     stretch.arenas[1 - half]);
    default:
      run_step(stretch.program, number, {}, kernels_, block_, arena, stretch.images[half]);
  }
}

bool Team::take(std::int32_t part, std::int64_t turn) {
  std::atomic<std::int64_t>& taken = taken_[static_cast<std::size_t>(part)].turns;
  std::int64_t before = turn;
  return taken.load(std::memory_order_relaxed) == turn &&
         taken.compare_exchange_strong(before, turn + 1, std::memory_order_relaxed);
}

template <typename Take>
void Team::wait_for(std::int64_t turn, const Take& take_more) const {
  for (std::int32_t part = 0; part < parts_; ++part) {
    const std::atomic<std::int64_t>& done = done_[static_cast<std::size_t>(part)].turns;
    // In place, for a wake-up would take longer than a step.
    for (int spins = 1; done.load(std::memory_order_acquire) <= turn; ++spins) {
      if (spins % kPatience == 0 || is_short()) take_more();
      if (spins > kSpins) sched_yield();  // the other thread has lost its core
      spin_pause();
    }
  }
}

void Team::work(int thread) {
  threads_.fetch_add(1, std::memory_order_relaxed);
  std::int64_t turn = 0;
  for (const Stretch& stretch : stretches_) {
    const Step* const steps = inside<Step>(block_, stretch.program.steps);
    std::int64_t end = 0;
    for (std::int64_t begin = 0; begin < stretch.program.step_count; begin = end, ++turn) {
      end = begin + 1;
      while (end < stretch.program.step_count && steps[end].follows != 0) ++end;
      const auto run = [&](std::int32_t part) {
        if (!take(part, turn)) return;
        for (std::int64_t step = begin; step < end; ++step) run_part(stretch, step, part);
        done_[static_cast<std::size_t>(part)].turns.store(turn + 1, std::memory_order_release);
      };
      run(thread);
      wait_for(turn, [&] {
        for (std::int32_t part = 0; part < parts_; ++part) run(part);
      });
    }
  }
}

}  // namespace ticket::runtime
