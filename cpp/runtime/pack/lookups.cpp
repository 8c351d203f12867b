// Rows of a sparse product with one vector, sixteen at once, one a lane.
#include "runtime/pack/lookups.h"

#include <algorithm>

namespace ticket::runtime {
namespace {

// The taps of sixteen rows that no step has yet.
struct Pending {
  const Tap* next[kLanes] = {};
  const Tap* end[kLanes] = {};

  bool has(int lane) const { return next[lane] != end[lane]; }

  // Where the rearmost one reads, or `none`.
  std::int32_t least(std::int32_t none) const {
    std::int32_t least = none;
    for (int lane = 0; lane < kLanes; ++lane) {
      if (has(lane)) least = std::min(least, next[lane]->offset);
    }
    return least;
  }
};

void add_step(std::int32_t begin, int window, Pending* pending, LookupRows* result) {
  result->windows.push_back(begin);
  for (int lane = 0; lane < kLanes; ++lane) {
    auto place = static_cast<std::uint8_t>(window);  // zero
    float weight = 0.0f;
    if (pending->has(lane) && pending->next[lane]->offset < begin + window) {
      place = static_cast<std::uint8_t>(pending->next[lane]->offset - begin);
      weight = pending->next[lane]->weight;
      ++pending->next[lane];
    }
    result->places.push_back(place);
    result->weights.push_back(weight);
  }
}

}  // namespace

LookupRows lookup_rows(const SparseFilters& rows, std::int64_t in_size, const Lookups& lookups) {
  LookupRows result;
  if (in_size < lookups.window) return result;
  const auto last_window = static_cast<std::int32_t>(in_size - lookups.window);
  const std::int64_t most = static_cast<std::int64_t>(rows.taps.size()) / lookups.taps;
  for (std::size_t first = 0; first < rows.filters.size(); first += kLanes) {
    LookupGroup group;
    group.first = static_cast<std::int64_t>(result.windows.size());
    Pending pending;
    for (int lane = 0; lane < kLanes && first + lane < rows.filters.size(); ++lane) {
      const Filter& row = rows.filters[first + static_cast<std::size_t>(lane)];
      group.channels[lane] = row.channel;
      group.bias[lane] = row.bias;
      pending.next[lane] = rows.taps.data() + row.taps;
      pending.end[lane] = pending.next[lane] + row.count;
      ++group.rows;
    }
    constexpr std::int32_t kNone = INT32_MAX;
    for (std::int32_t at = pending.least(kNone); at != kNone; at = pending.least(kNone)) {
      if (static_cast<std::int64_t>(result.windows.size()) == most) return {};
      add_step(std::min(at, last_window), lookups.window, &pending, &result);
    }
    group.steps = static_cast<std::int32_t>(result.windows.size() - group.first);
    result.groups.push_back(group);
  }
  return result;
}

}  // namespace ticket::runtime
