// How many input channels all filters pass over before they go on to the next ones.
//
// Few channels of a tile's input stay in L1, from where a vector comes in about one cycle instead
// of two; but at the end of each block of channels every sum goes to memory and comes back.
#pragma once

#include <cstdint>

#include "runtime/plan/plan.h"

namespace ticket::runtime {

// Of this CPU's first-level data cache, or what most have.
std::int64_t l1_bytes();

// Of its second-level cache.
std::int64_t l2_bytes();

double taps_a_filter(const Op& op);

// Channels of a block, when a tile's input has so many vectors a channel.  Blocks are of about one
// size; a filter has `least_taps` or more of each on average.
std::int64_t channels_at_once(const Op& op, double vectors, double least_taps);

// What pays for the end of a filter's loop, which the CPU does not foresee; of its two or three
// loops, when its taps go by their row in the window, over a tile of so many vectors.
constexpr double kLeastTaps = 24;
double least_taps_in_runs(std::int64_t tile);

// The same where sums are moved at the end of a block (kShiftConv).
std::int64_t channels_moved_at_once(const Op& op, std::int64_t vectors);

}  // namespace ticket::runtime
