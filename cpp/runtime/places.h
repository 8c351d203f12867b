// Where tensors lie in the arena, and what is around them.
#pragma once

#include <cstdint>

#include "runtime/plan/plan.h"

namespace ticket::runtime {

constexpr int kLanes = 16;
constexpr std::int64_t kVectorBytes = kLanes * sizeof(float);
constexpr int kBlocks = 4;  // of the blocks layout, along y and along x
constexpr int kWide = 4;    // groups of sixteen images that vectors' networks take at once

// Where a tensor's vector (channel 0, row 0, column 0) is, and how far rows and channels are.
struct Place {
  std::int64_t at = 0;
  std::int64_t row = 0;
  std::int64_t plane = 0;
};

// What follows every write of a tensor in the blocks layout.
struct Edges {
  std::int32_t rows = 0, cols = 0;  // of a block
  std::int32_t halo = 0;            // vectors around it, copied from the neighbours
  std::int32_t cut = 0;             // blocks reach over the image's end: zero there
  std::int32_t height = 0, width = 0;  // of the image
};

}  // namespace ticket::runtime
