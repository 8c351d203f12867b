// The rows at the cut of an image in halves.
#include "runtime/run/seams.h"

#include <cstring>

namespace ticket::runtime {
namespace {

// A row of blocks in a vector: what lies at the cut.
struct BlockRow {
  float of[kBlocks];
};

BlockRow load_row(const float* from) {
  BlockRow row;
  std::memcpy(row.of, from, sizeof row.of);
  return row;
}

void store_row(float* to, const BlockRow& row) { std::memcpy(to, row.of, sizeof row.of); }

// What each block's left or right neighbour has; zero outside the image.
BlockRow from_left(const BlockRow& row) { return {0.0f, row.of[0], row.of[1], row.of[2]}; }
BlockRow from_right(const BlockRow& row) { return {row.of[1], row.of[2], row.of[3], 0.0f}; }

// The last blocks of the upper half, the first ones of the lower half.
int lane_of(int half) { return half == 0 ? kLanes - kBlocks : 0; }

}  // namespace

void seam_out(const SeamStep& step, int half, float* arena) {
  const float* const first = arena + step.place.at + lane_of(half) +
                             (half == 0 ? step.rows - step.halo : 0) * step.place.row;
  float* box = arena + step.box;
  for (std::int32_t c = 0; c < step.channels; ++c) {
    for (std::int32_t y = 0; y < step.halo; ++y) {
      const float* const row = first + c * step.place.plane + y * step.place.row;
      for (std::int32_t x = 0; x < step.cols; ++x, box += kBlocks) {
        store_row(box, load_row(row + x * kLanes));
      }
    }
  }
}

void seam_in(const SeamStep& step, int half, float* arena, const float* other) {
  float* const first = arena + step.place.at + lane_of(half) +
                       (half == 0 ? step.rows : -step.halo) * step.place.row;
  const float* box = other + step.box;
  for (std::int32_t c = 0; c < step.channels; ++c) {
    for (std::int32_t y = 0; y < step.halo; ++y, box += step.cols * kBlocks) {
      float* const row = first + c * step.place.plane + y * step.place.row;
      for (std::int32_t x = 0; x < step.cols; ++x) {
        store_row(row + x * kLanes, load_row(box + x * kBlocks));
      }
      for (std::int32_t x = 0; x < step.halo; ++x) {
        const float* const last = box + (step.cols - step.halo + x) * kBlocks;
        store_row(row + (x - step.halo) * kLanes, from_left(load_row(last)));
        store_row(row + (step.cols + x) * kLanes, from_right(load_row(box + x * kBlocks)));
      }
    }
  }
}

}  // namespace ticket::runtime
