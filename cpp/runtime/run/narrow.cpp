// The passes of one image in blocks of few columns.
#include "runtime/run/narrow.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace ticket::runtime {
namespace {

constexpr std::int32_t kMostCols = 4;

// Row y of the blocks of channel c: its first vector.
template <typename Float>
Float* vectors_of(const PassStep& step, Float* arena, std::int32_t c, std::int32_t y) {
  return arena + step.place.at + c * step.place.plane + y * step.place.row;
}

// Calls what(blocks, pixels) for every row of an image whose blocks are full, of `kCols` columns
// each: where its four blocks lie in the first of their vectors, and its pixels outside.
template <int kCols, typename Inside, typename Outside, typename What>
void each_row(const PassStep& step, Inside* arena, Outside* outside, const What& what) {
  for (std::int32_t c = 0; c < step.channels; ++c) {
    for (std::int32_t row = 0; row < step.height; ++row) {
      what(vectors_of(step, arena, c, row % step.edges.rows) + row / step.edges.rows * kBlocks,
           outside + c * step.apart + std::int64_t{row} * kBlocks * kCols);
    }
  }
}

template <int kCols>
void enter_full(const PassStep& step, float* arena, const float* from) {
  each_row<kCols>(step, arena, from, [](float* blocks, const float* pixels) {
    float columns[kCols][kBlocks];
    for (int x = 0; x < kCols; ++x) {
      for (int block = 0; block < kBlocks; ++block) columns[x][block] = pixels[block * kCols + x];
    }
    for (int x = 0; x < kCols; ++x) {
      std::memcpy(blocks + x * kLanes, columns[x], sizeof columns[x]);
    }
  });
}

template <int kCols>
void leave_full(const PassStep& step, const float* arena, float* to) {
  each_row<kCols>(step, arena, to, [](const float* blocks, float* pixels) {
    float row[kBlocks][kCols];
    for (int x = 0; x < kCols; ++x) {
      for (int block = 0; block < kBlocks; ++block) row[block][x] = blocks[x * kLanes + block];
    }
    std::memcpy(pixels, row, sizeof row);
  });
}

// Calls what(block, pixels, length) for every row of every block, some of which reach over the
// image's end: its lane in the row's first vector, its pixels outside, how many these are.
template <typename Inside, typename Outside, typename What>
void each_block_row(const PassStep& step, Inside* arena, Outside* outside, const What& what) {
  for (std::int32_t y = 0; y < step.edges.rows; ++y) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const std::int32_t row = lane / kBlocks * step.edges.rows + y;
      const std::int32_t col = lane % kBlocks * step.edges.cols;
      const bool is_inside = row < step.height && col < step.width;
      const std::int32_t length = is_inside ? std::min(step.edges.cols, step.width - col) : 0;
      Outside* const pixels =
          is_inside ? outside + std::int64_t{row} * step.width + col : outside;
      for (std::int32_t c = 0; c < step.channels; ++c) {
        what(vectors_of(step, arena, c, y) + lane, pixels + c * step.apart, length);
      }
    }
  }
}

// Calls what(number) with the number of columns as a type, so that loops over them have an end
// that the compiler knows.
template <typename What>
void with_cols(const PassStep& step, const What& what) {
  switch (step.edges.cols) {
    case 1: return what(std::integral_constant<int, 1>{});
    case 2: return what(std::integral_constant<int, 2>{});
    case 3: return what(std::integral_constant<int, 3>{});
    default: return what(std::integral_constant<int, kMostCols>{});
  }
}

bool is_full(const PassStep& step) {
  return step.width == kBlocks * step.edges.cols && step.height == kBlocks * step.edges.rows;
}

}  // namespace

bool is_narrow(const PassStep& step) {
  return step.layout == Layout::kBlocks && step.edges.cols <= kMostCols;
}

void enter_narrow(const PassStep& step, float* arena, const float* from) {
  if (is_full(step)) {
    return with_cols(
        step, [&](auto cols) { enter_full<decltype(cols)::value>(step, arena, from); });
  }
  const std::int32_t cols = step.edges.cols;
  each_block_row(step, arena, from, [cols](float* block, const float* pixels, std::int32_t length) {
    for (std::int32_t x = 0; x < cols; ++x) block[x * kLanes] = x < length ? pixels[x] : 0.0f;
  });
}

void leave_narrow(const PassStep& step, const float* arena, float* to) {
  if (is_full(step)) {
    return with_cols(
        step, [&](auto cols) { leave_full<decltype(cols)::value>(step, arena, to); });
  }
  each_block_row(step, arena, to, [](const float* block, float* pixels, std::int32_t length) {
    for (std::int32_t x = 0; x < length; ++x) pixels[x] = block[x * kLanes];
  });
}

}  // namespace ticket::runtime
