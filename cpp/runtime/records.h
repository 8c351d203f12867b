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

#include "runtime/conv_records.h"
#include "runtime/places.h"

namespace ticket::runtime {

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

// Whether several threads on one image can share a step.
constexpr bool can_share(Kind kind) {
  return (kind >= Kind::kConv && kind <= Kind::kPool) || kind == Kind::kWinogradEnter ||
         kind == Kind::kWinogradLeave || kind == Kind::kColumns || kind == Kind::kColumnConv;
}

struct Step {
  Kind kind = Kind::kEnter;
  std::uint16_t follows = 0;  // needs nothing of what other threads do in the step before
  std::uint16_t shared = 0;   // by several threads on one image; else one of them does it
  std::int64_t record = 0;    // where the struct of that kind is
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

static_assert(sizeof(Edges) == 24, "spare");
static_assert(sizeof(PoolStep) == 112 + sizeof(Edges), "spare");
static_assert(sizeof(ElementwiseStep) == 8 + 3 * sizeof(Place) + 32 + sizeof(Edges), "spare");
static_assert(sizeof(PassStep) == 64 + sizeof(Edges) && sizeof(PlainStep) == 72, "spare");
static_assert(sizeof(LookupGroup) == 144 && sizeof(LookupStep) == 64, "spare");

// The records at an offset of a block.
template <typename T>
const T* inside(const void* block, std::int64_t offset) {
  return reinterpret_cast<const T*>(static_cast<const std::uint8_t*>(block) + offset);
}

}  // namespace ticket::runtime
