// The records of convolutions' steps; see records.h.
#pragma once

#include <cstdint>

#include "runtime/places.h"

namespace ticket::runtime {

// Rows and columns that a kernel covers with tiles of one size.
struct Region {
  std::int32_t y = 0, x = 0;              // of the first tile, in vectors
  std::int32_t tile_rows = 1, tile_cols = 1;
  std::int32_t tiles_down = 0, tiles_across = 0;
};
constexpr int kMostRegions = 8;

// One weight: what to add of the vector at this offset from the window's corner.  Behind the taps
// of a convolution lies a spare one: kernels look one ahead.
struct Tap {
  std::int32_t offset = 0;
  float weight = 0.0f;
};

// The taps that one output channel has in one block of input channels.  The first block starts
// the sum, those after it go on with what lies in the output, the last one ends it.
struct Filter {
  std::int64_t taps = 0;  // index of the first
  std::int32_t count = 0;
  std::int32_t channel = 0;
  float bias = 0.0f;
  std::uint8_t first = 1;
  std::uint8_t last = 1;
  std::uint16_t spare = 0;
};

// A run of taps has a multiple of so many, where a tile has so many vectors: these go into sums of
// their own, or few sums would wait for each other, and no loop is left for the rest.
constexpr int taps_at_once(std::int64_t vectors) { return vectors == 1 ? 4 : vectors <= 4 ? 2 : 1; }

// In how many sums of its own, by kernels whose tiles have `most` vectors: where these are few,
// two sums of four vectors leave no registers, and a half of such a tile does as the whole.
constexpr int sums_at_once(std::int64_t vectors, int most) {
  return most < 16 && (vectors == 2 || vectors == 4) ? 1 : taps_at_once(vectors);
}

// Where the taps of a filter in each place of a 3 x 3 window end, counted from its first: row by
// row of the window, in that order.
constexpr int kRuns = 9;
struct Runs {
  std::uint16_t ends[kRuns] = {};
};

// A convolution, or a linear layer as one over 1 x 1 images.
struct ConvStep {
  Place in;  // `at` is the corner of the window of output (0, 0), padding included
  Place out, residual;
  std::int64_t in_row = 0, in_col = 0;  // from one output's window to the next one's
  Region regions[kMostRegions];
  std::int32_t region_count = 0;
  std::int32_t filter_count = 0;
  std::int64_t filters = 0, taps = 0;
  std::int64_t runs = 0;                  // kBorderConv, kShiftConv: one a filter
  std::int64_t offsets = 0, weights = 0;  // kDenseConv: see DenseGroup
  std::int32_t out_channels = 0;
  std::int32_t filters_at_once = 1;  // that many pass over a tile before the next tile's turn
  std::uint8_t has_residual = 0;
  Act act = Act::kNone;
  std::uint8_t step = 1;           // in_col in vectors where tiles are wider than 1
  std::uint8_t edges_at_tile = 0;  // each tile writes its part of the halo
  std::uint8_t by_rows = 0;        // threads may share rows of tiles and not output channels
  std::uint8_t spare[3] = {};
  Edges edges;
};

// Four output channels that share their input: for each of `count` offsets, four weights.
constexpr int kDenseWidth = 4;
struct DenseGroup {
  std::int64_t weights = 0;  // index of the first float
  std::int64_t base = 0;     // of the group's input channels
  std::int32_t count = 0;
  std::int32_t channel = 0;  // the first
  std::int32_t width = 0;    // how many of the four exist
  float bias[kDenseWidth] = {};
  std::int32_t spare = 0;
};

// A tile has 4 x 4 outputs, 6 x 6 inputs and as many points; output channels go by eights.
constexpr int kWinogradTile = 4, kWinogradSide = 6, kWinogradOuts = 8;
constexpr int kMostWinogradTiles = 4;  // at once

// Tiles of a convolution from input to points, and from there to the output.
struct WinogradStep {
  Place in, out, residual;  // `in` as in ConvStep
  std::int64_t spots = 0;   // in the arena: [36][in_channels][tiles], each with a vector to spare
  std::int64_t weights = 0, bias = 0;
  std::int32_t in_channels = 0, out_channels = 0;
  std::int32_t first = 0, tiles = 0, across = 0;  // tiles row by row
  std::uint8_t has_residual = 0;
  Act act = Act::kNone;
  std::uint8_t is_last = 0;  // the halo follows
  std::uint8_t spare = 0;
  Edges edges;

  // From one spot to the next one; the spare vector keeps them from falling into one set of L1.
  std::int64_t slice() const { return (std::int64_t{in_channels} * tiles + 1) * kLanes; }

  // From a plane's first vector to that of a tile.
  std::int64_t corner(std::int32_t tile, const Place& place) const {
    const std::int64_t number = first + tile;
    return (number / across * place.row + number % across * kLanes) * kWinogradTile;
  }
};

// An image of so few pixels is plain even where others are in blocks.
constexpr int kColumn = 4;

// A convolution between plain values whose output has at most kColumn pixels.
struct ColumnsStep {
  std::int64_t in = 0, out = 0, residual = -1;
  std::int64_t columns = 0;  // in the arena: [in_channels][places][kColumn]
  std::int64_t sources = 0;  // [places][kColumn]: a float of the channel, or -1 for padding
  std::int64_t filters = 0, taps = 0;  // an offset is a column's, in floats
  std::int32_t in_channels = 0, out_channels = 0, filter_count = 0;
  std::int32_t in_pixels = 0, pixels = 0;  // of a channel
  std::int32_t places = 0;                 // in the window
  Act act = Act::kNone;
  std::uint8_t spare[7] = {};
};

static_assert(sizeof(Filter) == 24 && sizeof(DenseGroup) == 48, "spare");
static_assert(sizeof(ConvStep) == 344 + sizeof(Edges), "spare");
static_assert(sizeof(WinogradStep) == 120 + sizeof(Edges), "spare");
static_assert(sizeof(ColumnsStep) == 88, "spare");

}  // namespace ticket::runtime
