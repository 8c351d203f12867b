// Whether several threads on a call pay, found out by trying.
//
// A helper joins late by some microseconds, or by fifty where the hypervisor stops a core that
// waits; caches are shared or not; others use the machine.  No cost model knows that, so the
// first short calls of a plan go both ways in turns.  Outputs are the same bits either way.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace ticket::runtime {

// The tries of one kind of call.
class Contest {
 public:
  // Whether the next call is for all its threads.
  bool many() const;

  // How long a call took that went this way.
  void told(bool many, double seconds);

 private:
  void decide();

  static constexpr int kBlock = 8;   // calls one way before the other's turn
  static constexpr int kBlocks = 6;  // of both ways together
  static constexpr int kUnused = 3;  // first ones of a block: helpers fall asleep, caches change
  static constexpr int kTimes = (kBlock - kUnused) * kBlocks / 2;

  std::int32_t calls_ = 0;  // since the tries began
  bool decided_ = false;
  bool many_ = true;
  double shortest_ = 0;  // of the first calls
  std::array<std::array<double, kTimes>, 2> times_{};
  std::array<int, 2> counts_{};
};

// One call: says which way it goes, and tells how long it took when it ends.
class Try {
 public:
  // A plan's call on so many images with at most that many threads.
  Try(std::uint64_t plan, std::int64_t images, int threads);
  ~Try();
  Try(const Try&) = delete;
  Try& operator=(const Try&) = delete;

  bool many() const { return many_; }

 private:
  const std::uint64_t plan_;
  const std::int64_t images_;
  const int threads_;
  bool many_ = false;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace ticket::runtime
