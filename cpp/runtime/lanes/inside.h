// Which of the 4 x 4 blocks of an image have a position inside it.
//
// The image's size need not be a multiple of four: the last blocks then reach over its end.
#pragma once

#include <cstdint>

#include "runtime/records.h"

namespace ticket::runtime {

// -1 in the lanes of the first `down` x `across` blocks, else 0.  A table, for there are only 25:
// a mask for each position of a block would be as large as an image, whatever a file holds.
struct BlockMasks {
  std::int32_t of[kBlocks + 1][kBlocks + 1][kLanes] = {};

  constexpr BlockMasks() {
    for (int down = 0; down <= kBlocks; ++down) {
      for (int across = 0; across <= kBlocks; ++across) {
        for (int lane = 0; lane < kLanes; ++lane) {
          of[down][across][lane] = lane / kBlocks < down && lane % kBlocks < across ? -1 : 0;
        }
      }
    }
  }
};
alignas(64) inline constexpr BlockMasks kBlockMasks;

// How many of the four blocks along an axis, each of `size`, have their position `at` before
// the image's end.
inline int blocks_inside(std::int32_t at, std::int32_t size, std::int32_t length) {
  int count = 0;
  for (int block = 0; block < kBlocks; ++block) {
    count += std::int64_t{block} * size + at < length ? 1 : 0;
  }
  return count;
}

inline const std::int32_t* mask_at(const Edges& edges, std::int32_t y, std::int32_t x) {
  return kBlockMasks.of[blocks_inside(y, edges.rows, edges.height)]
                       [blocks_inside(x, edges.cols, edges.width)];
}

}  // namespace ticket::runtime
