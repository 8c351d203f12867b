// How an output is cut into register tiles.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/records.h"

namespace ticket::runtime {

struct TileLimits {
  std::int64_t vectors = 1;        // in one tile
  std::int64_t width = kLanes;     // of one tile
  double taps = 1;                 // a filter's, on average
};

// The regions that cover rows x cols at the least cost.
std::vector<Region> choose_tiles(std::int64_t rows, std::int64_t cols, const TileLimits& limits);

}  // namespace ticket::runtime
