// Weights in the order in which kernels use them.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/pack/geometry.h"

namespace ticket::runtime {

struct SparseFilters {
  std::vector<Filter> filters;
  std::vector<Tap> taps;
  std::vector<Runs> runs;  // one a filter; all empty where places do not count
};

// The taps of a convolution, or of a linear layer as a 1 x 1 convolution, over an input with that
// geometry, relative to the corner of a window.  Input channels come in blocks of that many,
// filters by number of taps inside a block: their loops then end where the CPU expects it.  No
// filter leaves a remainder in tiles of so many vectors.
SparseFilters sparse_filters(const Op& op, const Geometry& in, const Shape& out,
                             std::int64_t channels_per_block, std::int64_t tile);

// The same of a 3 x 3 convolution in tiles of so many vectors, a filter's taps by their place in
// the window; relative to the window's middle in the channel if `shifts`.
SparseFilters runs_filters(const Op& op, const Geometry& in, const Shape& out,
                           std::int64_t channels_per_block, std::int64_t tile, bool shifts);

// The rows of a product with the plain input that makes the one output pixel of each channel, each
// with a multiple of so many taps.
SparseFilters plain_filters(const Op& op, const Shape& in, int at_once);

// The taps of a convolution to few pixels, as columns (see ColumnsStep): `sources` as there.
SparseFilters column_filters(const Op& op, const std::vector<std::int32_t>& sources,
                             std::int64_t channels_per_block);

struct DenseFilters {
  std::vector<DenseGroup> groups;
  std::vector<std::int32_t> offsets;
  std::vector<float> weights;
};
DenseFilters dense_filters(const Op& op, const Geometry& in, const Shape& out);

}  // namespace ticket::runtime
