// Whether several threads on a call pay, found out by trying.
#include "runtime/run/contest.h"

#include <algorithm>

#include "runtime/run/fork_safe.h"

namespace ticket::runtime {
namespace {

constexpr int kFirst = 3;           // calls before the tries, which also read a plan's memory
// Seconds.  Longer calls gain by help and are not tried: tries that fall into a moment when two
// virtual cores share one would take it from the next kAgain calls, which are seconds here.
constexpr double kLong = 1e-3;
constexpr double kGain = 0.95;      // less is not worth a second core
// Calls until the next tries: a hypervisor puts two virtual cores on one, and apart again, every
// few seconds.  24 of them go the way that loses.
constexpr std::int32_t kAgain = 700;

// The contests of the plans in use; those longest without a call go.
struct Contests {
  struct Entry {
    std::uint64_t plan = 0;
    std::int64_t images = 0;
    int threads = 0;  // 0: free
    std::uint64_t used = 0;
    Contest contest;
  };

  std::array<Entry, 64> entries;
  std::uint64_t now = 0;

  Contest& of(std::uint64_t plan, std::int64_t images, int threads) {
    ++now;
    Entry* oldest = entries.data();
    for (Entry& entry : entries) {
      if (entry.plan == plan && entry.images == images && entry.threads == threads) {
        entry.used = now;
        return entry.contest;
      }
      if (entry.used < oldest->used) oldest = &entry;
    }
    *oldest = {plan, images, threads, now, {}};
    return oldest->contest;
  }
};

template <typename Times>
double median(Times times) {
  const auto middle = times.begin() + times.size() / 2;
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

}  // namespace

bool Contest::many() const {
  if (decided_ || calls_ < kFirst) return many_;
  return (calls_ - kFirst) / kBlock % 2 == 1;
}

void Contest::told(bool went_many, double seconds) {
  if (went_many != many()) return;  // it began before others had ended this way's turn
  const std::int32_t call = calls_++;
  if (decided_) {
    if (calls_ >= kAgain) *this = Contest();
    return;
  }
  if (call < kFirst) {
    shortest_ = call == 0 ? seconds : std::min(shortest_, seconds);
    decided_ = call + 1 == kFirst && shortest_ > kLong;  // together
    return;
  }
  const int at = (call - kFirst) % kBlock;
  const std::size_t way = went_many ? 1 : 0;
  if (at >= kUnused) times_[way][static_cast<std::size_t>(counts_[way]++)] = seconds;
  if (calls_ == kFirst + kBlock * kBlocks) decide();
}

void Contest::decide() {
  many_ = median(times_[1]) < kGain * median(times_[0]);
  decided_ = true;
}

Try::Try(std::uint64_t plan, std::int64_t images, int threads)
    : plan_(plan), images_(images), threads_(threads) {
  if (threads_ <= 1) return;
  many_ = ForkSafe<Contests>::with(
      [&](Contests& all) { return all.of(plan_, images_, threads_).many(); });
  begin_ = std::chrono::steady_clock::now();
}

Try::~Try() {
  if (threads_ <= 1) return;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin_;
  ForkSafe<Contests>::with(
      [&](Contests& all) { all.of(plan_, images_, threads_).told(many_, took.count()); });
}

}  // namespace ticket::runtime
