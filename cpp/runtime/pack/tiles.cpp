// How an output is cut into register tiles.
#include "runtime/pack/tiles.h"

#include <algorithm>

#include "runtime/pack/nearness.h"

namespace ticket::runtime {
namespace {

// A stretch of one axis: `count` tiles of `size`.
struct Stretch {
  std::int64_t begin, size, count;
};

// Tiles of the wanted height, then smaller powers of two for what is left.
std::vector<Stretch> stretches_down(std::int64_t rows, std::int64_t height) {
  std::vector<Stretch> stretches;
  std::int64_t begin = 0;
  for (; height > 0; height /= 2) {
    const std::int64_t count = (rows - begin) / height;
    if (count > 0) stretches.push_back({begin, height, count});
    begin += count * height;
  }
  return stretches;
}

std::vector<Stretch> stretches_across(std::int64_t cols, std::int64_t width) {
  std::vector<Stretch> stretches{{0, width, cols / width}};
  if (cols % width > 0) stretches.push_back({cols - cols % width, cols % width, 1});
  return stretches;
}

std::vector<Region> regions_of(const std::vector<Stretch>& down,
                               const std::vector<Stretch>& across) {
  std::vector<Region> regions;
  for (const Stretch& d : down) {
    for (const Stretch& a : across) {
      Region region;
      region.y = static_cast<std::int32_t>(d.begin);
      region.x = static_cast<std::int32_t>(a.begin);
      region.tile_rows = static_cast<std::int32_t>(d.size);
      region.tile_cols = static_cast<std::int32_t>(a.size);
      region.tiles_down = static_cast<std::int32_t>(d.count);
      region.tiles_across = static_cast<std::int32_t>(a.count);
      regions.push_back(region);
    }
  }
  return regions;
}

// In units of one multiply-add.  A tile pays for its filter's begin and end, and fewer than four
// sums wait for each other.  Of tiles that take as long, those win that read less around them.
double cost_of(const std::vector<Region>& regions, double taps) {
  constexpr double kFixed = 12, kRead = 0.01;
  double cost = 0;
  for (const Region& r : regions) {
    const double vectors = r.tile_rows * r.tile_cols;
    const double tiles = static_cast<double>(r.tiles_down) * r.tiles_across;
    const double reads = (r.tile_rows + 2.0) * (r.tile_cols + 2.0);
    cost += tiles * (taps * (std::max(vectors, 4.0) + kRead * reads) + kFixed + 2 * vectors);
  }
  return cost;
}

// How many input channels to take at a time when every filter passes over a tile.
std::int64_t near_channels(const Op& op, const Window& w, const Region& tile) {
  const std::int64_t rows = (tile.tile_rows - 1) * std::int64_t{w.stride_h} +
                            (w.kernel_h - 1) * std::int64_t{w.dilation_h} + 1;
  const std::int64_t cols = (tile.tile_cols - 1) * std::int64_t{w.stride_w} +
                            (w.kernel_w - 1) * std::int64_t{w.dilation_w} + 1;
  return channels_at_once(op, {1.0 * rows * cols, 1.0 * tile.tile_rows * tile.tile_cols});
}

}  // namespace

std::vector<Region> choose_tiles(std::int64_t rows, std::int64_t cols, const TileLimits& limits) {
  std::vector<Region> best;
  double least = 0;
  for (const std::int64_t height : {4, 2, 1}) {
    for (std::int64_t width = std::min(limits.width, cols); width > 0; --width) {
      if (height > rows || height * width > limits.vectors) continue;
      std::vector<Region> regions =
          regions_of(stretches_down(rows, height), stretches_across(cols, width));
      const double cost = cost_of(regions, limits.taps);
      if (best.empty() || cost < least) {
        least = cost;
        best = std::move(regions);
      }
    }
  }
  return best;
}

SparseTiles sparse_tiles(const Op& op, const Geometry& in, const Geometry& out,
                         std::int64_t tile) {
  const Window window = tidy(op.window, out.shape);
  TileLimits limits;
  limits.vectors = tile;
  limits.width = window.stride_w <= 2 ? kLanes : 1;
  limits.taps = taps_a_filter(op);
  SparseTiles tiles;
  tiles.regions = choose_tiles(out.rows, out.cols, limits);
  tiles.step = limits.width > 1 ? static_cast<std::uint8_t>(window.stride_w) : std::uint8_t{1};
  // A large input is read tile by tile; a small one, or one channel of a depthwise layer, stays
  // near while each filter passes over all of it.
  tiles.by_tile = op.groups == 1 && in.size * kVectorBytes > l1_bytes() / 4 * 3;
  tiles.channels = tiles.by_tile ? near_channels(op, window, tiles.regions[0]) : op.in_channels;
  return tiles;
}

}  // namespace ticket::runtime
