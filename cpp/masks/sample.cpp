// A guess, from a sample, at where the threshold of a selection lies.
#include "sample.h"

#include <algorithm>
#include <cmath>

namespace ticket {
namespace {

constexpr std::int64_t kMostRuns = 4096;  // places that are looked at
constexpr std::int64_t kRun = 8;          // neighbours taken at each: they share its cache miss
constexpr std::int64_t kElementsARun = 2048;  // so that the sample takes 0.4 % of the memory
constexpr std::int64_t kFewestRuns = 256;  // in small tensors, where fewer would say too little
constexpr std::int64_t kWorthwhile = std::int64_t{1} << 15;  // elements; below, count them all

// Neighbours resemble each other, so the sample errs more than an independent one would: twice
// its standard deviation, and four of those on either side.
constexpr double kMargin = 4.5;

// One step of splitmix64: spreads places evenly, so that no stride of a layer is in tune with
// the sample.
std::uint64_t scramble(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

std::vector<Key> sampled_keys(const std::vector<ScoredSegment>& segments, std::int64_t total,
                              std::int64_t runs, bool absolute) {
  std::vector<Key> keys;
  keys.reserve(static_cast<std::size_t>(runs * kRun));
  std::size_t segment = 0;
  std::int64_t segment_first = 0;
  for (std::int64_t run = 0; run < runs; ++run) {
    const std::int64_t stratum = part_begin(total, static_cast<int>(run), static_cast<int>(runs));
    const auto within = static_cast<std::int64_t>(scramble(static_cast<std::uint64_t>(run)) %
                                                  static_cast<std::uint64_t>(total / runs));
    const std::int64_t position = stratum + within;
    while (position - segment_first >= segments[segment].size) {
      segment_first += segments[segment++].size;
    }
    const ScoredSegment& here = segments[segment];
    const std::int64_t first = position - segment_first;
    for (std::int64_t i = first; i < std::min(first + kRun, here.size); ++i) {
      if (here.mask[i] != 0 && !is_nan(here.values[i])) {
        keys.push_back(key_of(here.values[i], absolute));
      }
    }
  }
  return keys;
}

}  // namespace

Range guess_range(const std::vector<ScoredSegment>& segments, std::int64_t count,
                  bool absolute) {
  const std::int64_t total = total_size(segments);
  if (total < kWorthwhile) return all_keys(absolute);
  const std::int64_t runs = std::clamp(total / kElementsARun, kFewestRuns, kMostRuns);
  std::vector<Key> keys = sampled_keys(segments, total, runs, absolute);
  const auto sampled = static_cast<double>(runs * kRun);
  const double share = static_cast<double>(count) / static_cast<double>(total);
  const double rank = share * sampled;
  const double margin = kMargin * std::sqrt(sampled * share * (1.0 - share)) + kMargin;
  const auto at_rank = [&](double wanted) {
    const auto nth = keys.begin() + static_cast<std::ptrdiff_t>(wanted);
    std::nth_element(keys.begin(), nth, keys.end());
    return *nth;
  };
  Range range = all_keys(absolute);
  if (rank - margin >= 0.0 && rank - margin < static_cast<double>(keys.size())) {
    range.low = at_rank(rank - margin);
  }
  if (rank + margin < static_cast<double>(keys.size())) range.high = at_rank(rank + margin);
  return range;
}

}  // namespace ticket
