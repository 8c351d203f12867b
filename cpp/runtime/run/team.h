// Several threads on one image.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "runtime/run/steps.h"

namespace ticket::runtime {

constexpr int kMostParts = 16;  // beyond, a step's shares are too short

// A program's steps, done by all: each a share of every step in one arena, or each a half of the
// image in an arena of its own.
struct Stretch {
  Program program = {};  // may have no steps
  bool halved = false;
  std::array<float*, 2> arenas = {};
  std::array<Images, 2> images = {};

  Stretch() = default;
  Stretch(const Program& shared, float* arena, const Images& image)
      : program(shared), arenas{arena, arena}, images{image, image} {}
  Stretch(const Program& halves, const std::array<float*, 2>& each_arena,
          const std::array<Images, 2>& each_image)
      : program(halves), halved(true), arenas(each_arena), images(each_image) {}
};

// One stretch, or one after the other.
using Stretches = std::array<Stretch, 2>;

// Each thread takes the same part of every step and of every call, so that what it needs is in its
// own cache, and, when it has waited for a while, those that nobody has begun.  A part waits for
// all those of the step before, which others have taken earlier and are at work on: so whoever
// comes late, or not at all, holds nobody up for longer than a part takes.
class Team {
 public:
  // `parts` of each step, two of one that has halves; as many threads call work(), or fewer,
  // each with a number of its own below `parts`.
  Team(const Stretches& stretches, const LaneKernels& kernels, const void* block, int parts)
      : stretches_(stretches), kernels_(kernels), block_(block), parts_(parts) {}

  void work(int thread);

 private:
  // In a line of the cache of its own: who only looks at one would take its neighbour's, too.
  struct alignas(128) Turns {
    std::atomic<std::int64_t> turns{0};
  };

  void run_part(const Stretch& stretch, std::int64_t step, std::int32_t part) const;

  // Whether the part's turn is the caller's now.
  bool take(std::int32_t part, std::int64_t turn);

  // Somebody is late, or will never come.
  bool is_short() const { return threads_.load(std::memory_order_relaxed) < parts_; }

  // Until all parts of the turn are done.
  template <typename Take>
  void wait_for(std::int64_t turn, const Take& take_more) const;

  const Stretches& stretches_;
  const LaneKernels& kernels_;
  const void* const block_;
  const std::int32_t parts_;
  std::atomic<std::int32_t> threads_{0};
  std::array<Turns, kMostParts> taken_{}, done_{};
};

// How many parts pay with so many threads: a power of two.
int parts_for(int threads);

}  // namespace ticket::runtime
