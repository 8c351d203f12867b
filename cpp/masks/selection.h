// Exact joint selection of the lowest scores over many tensors, without sorting or copying them.
#pragma once

#include <cstdint>
#include <vector>

#include "../kernels/kernels.h"
#include "segments.h"

namespace ticket {

using ScoredSegment = Segment<const float, std::uint8_t>;

constexpr std::int64_t kSelected = -1;    // done
constexpr std::int64_t kTooFewKept = -2;  // fewer than `count` kept positions; nothing changed

// Clears the masks of exactly `count` kept positions: those with the lowest scores, by |score|
// if `absolute`, and at equal scores those that come first.  Returns kSelected, kTooFewKept, or
// the index of the first segment with a NaN at a kept position, with nothing changed.
// Memory besides the arguments: less than 1 % of the scores' bytes, or 64 KB for small tensors.
std::int64_t select_lowest(const Kernels& kernels, const std::vector<ScoredSegment>& segments,
                           std::int64_t count, bool absolute, int threads);

// The same, looking for the threshold in the keys of `guess` first.  A wrong guess costs passes.
std::int64_t select_lowest_near(Range guess, const Kernels& kernels,
                                const std::vector<ScoredSegment>& segments, std::int64_t count,
                                bool absolute, int threads);

// All the keys there are.
constexpr Range all_keys(bool absolute) { return {absolute ? 0 : -kInfinity, kInfinity}; }

}  // namespace ticket
