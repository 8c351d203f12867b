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

// What one filter does over a tile, in vectors.
struct TileWork {
  double inputs = 1;  // that a channel has
  double sums = 1;
  int loops = 1;  // over taps: three where they go by their row in the window
};

// Channels of a block that take the least time, by estimate.  Blocks are of about one size.
std::int64_t channels_at_once(const Op& op, const TileWork& tile);

// The same where sums are moved at the end of a block (kShiftConv).
std::int64_t channels_moved_at_once(const Op& op, std::int64_t vectors);

}  // namespace ticket::runtime
