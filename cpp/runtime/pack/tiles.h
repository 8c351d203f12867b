// How an output is cut into register tiles.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/pack/geometry.h"
#include "runtime/plan/plan.h"
#include "runtime/records.h"

namespace ticket::runtime {

struct TileLimits {
  std::int64_t vectors = 1;        // in one tile
  std::int64_t width = kLanes;     // of one tile
  double taps = 1;                 // a filter's, on average
};

// The regions that cover rows x cols at the least cost.
std::vector<Region> choose_tiles(std::int64_t rows, std::int64_t cols, const TileLimits& limits);

inline std::int64_t vectors_of(const Region& tile) {
  return std::int64_t{tile.tile_rows} * tile.tile_cols;
}

// How a sparse convolution covers its output.
struct SparseTiles {
  std::vector<Region> regions;
  std::uint8_t step = 1;      // see ConvStep
  bool by_tile = false;       // all filters pass over a tile before the next tile's turn
  std::int64_t channels = 1;  // of the input, that all filters take before the next ones
};

// By kernels whose tiles have at most `tile` vectors.
SparseTiles sparse_tiles(const Op& op, const Geometry& in, const Geometry& out, std::int64_t tile);

}  // namespace ticket::runtime
