// The records of a block's steps.
//
// A program is a list of steps over one arena of floats.  All tensors are vectors of 16 floats,
// the lanes.  In the `batch` layout the lanes are 16 images; in the `blocks` layout they are the
// 4 x 4 blocks of one image, lane 4 * by + bx the block in row by and column bx.  Either way a
// tap of a convolution is a shift of the vector's index, so every load is aligned, and one kernel
// serves both.  In the `plain` layout a vector is 16 consecutive floats of one image.
//
// Offsets into the block are in bytes, offsets and strides in the arena in floats.  Records have
// no padding but `spare` bytes, so that equal plans make equal blocks.
#pragma once

#include <cstdint>

#include "runtime/plan/plan.h"

namespace ticket::runtime {

constexpr int kLanes = 16;
constexpr int kBlocks = 4;  // of the blocks layout, along y and along x
constexpr int kWide = 4;    // groups of sixteen images that vectors' networks take at once

// Where a tensor's vector (channel 0, row 0, column 0) is, and how far rows and channels are.
struct Place {
  std::int64_t at = 0;
  std::int64_t row = 0;
  std::int64_t plane = 0;
};

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

// What follows every write of a tensor in the blocks layout.
struct Edges {
  std::int32_t rows = 0, cols = 0;  // of a block
  std::int32_t halo = 0;            // vectors around it, copied from the neighbours
  std::int32_t cut = 0;             // blocks reach over the image's end: zero there
  std::int32_t height = 0, width = 0;  // of the image
};

enum class Kind : std::int32_t {
  kEnter,        // a row-major image or batch into vectors
  kLeave,        // and back
  kConv,         // sparse
  kBorderConv,   // sparse, 3 x 3, batch: leaves out rows of padding
  kShiftConv,    // sparse, 3 x 3, blocks of few pixels: moves sums instead of reading halos
  kDenseConv,
  kPool,
  kMeanBlocks,   // the mean of each channel, blocks -> plain
  kPlainPool,    // a pool with one output a channel, plain -> plain; strides in floats
  kElementwise,  // activation, addition, product, affine
  kCopy,         // planes into planes (concat, pad)
  kFill,
  kReorder,      // reshape between padded tensors
  kPlainLinear,  // sparse rows times a vector
  kPlainDense,
  kLookup,       // sparse rows times a vector, sixteen rows at once (see lookups.h)
  kWinogradEnter,  // a convolution in two steps (see winograd.h): inputs to the points,
  kWinogradLeave,  // products there, and back
  kColumns,        // a convolution to few pixels in two steps (see ColumnsStep): what its taps
  kColumnConv,     // add up, and their sums
  kSeamOut,        // an image in halves (see SeamStep): rows for the other half,
  kSeamIn,         // and from it
};

// Whether several threads on one image share a step; else one of them does it.
constexpr bool is_shared(Kind kind) {
  return (kind >= Kind::kConv && kind <= Kind::kPool) || kind == Kind::kWinogradEnter ||
         kind == Kind::kWinogradLeave || kind == Kind::kColumns || kind == Kind::kColumnConv;
}

struct Step {
  Kind kind = Kind::kEnter;
  std::int32_t follows = 0;  // needs nothing of what other threads do in the step before
  std::int64_t record = 0;   // where the struct of that kind is
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
  std::uint8_t edges_at_tile = 0;  // the halo of a tile's rows is written behind it
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

struct PoolStep {
  Place in, out;
  std::int32_t channels = 0, rows = 0, cols = 0;  // of the output
  std::int32_t in_rows = 0, in_cols = 0;          // windows are clipped to these
  Window window;
  std::uint8_t clip = 1;  // 0: windows may read the halo
  std::uint8_t max = 0;
  std::uint8_t count_pad = 0;  // the mean counts padding too
  std::uint8_t spare = 0;
  Edges edges;
};

struct MeanStep {
  Place in;
  std::int64_t out = 0;
  std::int32_t channels = 0, rows = 0, cols = 0;
  float scale = 0.0f;
};

enum class Elementwise : std::int32_t { kAct, kAdd, kMul, kMulChannel, kMulScalar, kAffine,
                                        kAffineVector };

struct ElementwiseStep {
  Elementwise what = Elementwise::kAct;
  Act act = Act::kNone;
  std::uint8_t spare[3] = {};
  Place a, b, out;  // kMulChannel: b's planes are one vector; kMulScalar: one float
  std::int32_t channels = 0, rows = 0, cols = 0, spare_too = 0;
  std::int64_t scale = 0, shift = 0;  // kAffine: one a channel; kAffineVector: one an element
  Edges edges;
};

struct CopyStep {
  Place in, out;
  std::int32_t channels = 0, rows = 0, cols = 0;  // cols in floats
  float value = 0.0f;                             // kFill
  Edges edges;
};

// Where an image is cut in two, each half a tensor of its own in 4 x 4 blocks, the rows at the cut
// are the other half's halo.  A half puts its own into a box, channel by channel, row by row, four
// floats a column; the other takes them once both have come so far.
struct SeamStep {
  Place place;
  std::int64_t box = 0;  // in the arena of the half that fills it
  std::int32_t channels = 0;
  std::int32_t rows = 0, cols = 0, halo = 0;  // of a block

  // Floats that lie in a box.
  std::int64_t size() const {
    return std::int64_t{channels} * halo * cols * kBlocks;
  }
};

// Element i of one tensor to element i of another, in row-major order of their own shapes.
struct ReorderStep {
  Place in, out;
  std::int32_t in_rows = 0, in_cols = 0, out_rows = 0, out_cols = 0;
  std::int64_t size = 0;
};

enum class Layout : std::int32_t { kBatch, kBlocks, kPlain };

// kEnter and kLeave.  `outside`: floats in the arena, or -1 for the caller's buffer.  There an
// image is row-major, or `staged` between two parts of a program: its blocks lie as they were made,
// vector by vector without their halo.
struct PassStep {
  Layout layout = Layout::kBatch;
  std::int32_t groups = 1;  // of a batch, of sixteen images: each a row, its elements channels
  Place place;
  std::int64_t outside = -1;
  std::int64_t apart = 0;  // from channel to channel outside, in floats
  std::int32_t channels = 0, height = 0, width = 0;  // of the image, or of a half
  std::int32_t staged = 0;
  Edges edges;  // kBlocks, and the block's size of what enters a batch
};

// Rows of plain vectors; for kPlainDense the weights are [row][in_size], the taps are unused.
struct PlainStep {
  std::int64_t in = 0, out = 0, residual = -1;
  std::int32_t rows = 0, in_size = 0;
  std::int64_t filters = 0, taps = 0, weights = 0, bias = 0;
  Act act = Act::kNone;
  std::uint8_t spare[7] = {};
};

// Sixteen rows, or the last ones, of a kLookup; its steps are those from `first` on.
struct LookupGroup {
  std::int64_t first = 0;
  std::int32_t steps = 0;
  std::int32_t rows = 0;
  std::int32_t channels[kLanes] = {};
  float bias[kLanes] = {};
};

struct LookupStep {
  std::int64_t in = 0, out = 0, residual = -1;
  std::int64_t groups = 0, windows = 0, places = 0, weights = 0;  // see LookupRows
  std::int32_t group_count = 0;
  Act act = Act::kNone;
  std::uint8_t spare[3] = {};
};

// Steps in a row, and the memory that they work in.
struct Program {
  std::int64_t steps = 0;
  std::int64_t step_count = 0;
  std::int64_t arena = 0;  // floats; a multiple of 16
};

static_assert(sizeof(Filter) == 24 && sizeof(Edges) == 24 && sizeof(DenseGroup) == 48, "spare");
static_assert(sizeof(ConvStep) == 344 + sizeof(Edges), "spare");
static_assert(sizeof(PoolStep) == 112 + sizeof(Edges), "spare");
static_assert(sizeof(ElementwiseStep) == 8 + 3 * sizeof(Place) + 32 + sizeof(Edges), "spare");
static_assert(sizeof(PassStep) == 64 + sizeof(Edges) && sizeof(PlainStep) == 72, "spare");
static_assert(sizeof(WinogradStep) == 120 + sizeof(Edges), "spare");
static_assert(sizeof(ColumnsStep) == 88, "spare");
static_assert(sizeof(LookupGroup) == 144 && sizeof(LookupStep) == 64, "spare");

// The records at an offset of a block.
template <typename T>
const T* inside(const void* block, std::int64_t offset) {
  return reinterpret_cast<const T*>(static_cast<const std::uint8_t*>(block) + offset);
}

}  // namespace ticket::runtime
