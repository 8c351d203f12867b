// A guess, from a sample, at where the threshold of a selection lies.
#pragma once

#include <vector>

#include "selection.h"

namespace ticket {

// Returns a narrow range of keys that very likely holds the key of the `count`-th lowest kept
// score, and all keys if the row is too short for a sample to pay.  Only speed depends on
// the guess, never the selection.
Range guess_range(const std::vector<ScoredSegment>& segments, std::int64_t count, bool absolute);

}  // namespace ticket
