// The sparse convolution, for any Lanes: included by each set's file inside its target region.
//
// A tile of outputs stays in registers while one filter's taps run over it: a tap costs one
// broadcast and, for each vector of the tile, one multiply-add with an aligned load.  That load is
// the floor: one vector a cycle and load port from L1, half of it or less from L2.

// A halo of 1 as far as rows y.. of a block make it; `at` is the first of these rows, all columns.
inline void write_ring(const Edges& edges, std::int64_t row, float* at, std::int32_t y, int rows,
                       int cols) {
  for (int r = 0; r < rows; ++r) {
    float* const here = at + r * row;
    store(here - kLanes, from_left(load(here + (cols - 1) * kLanes)));
    store(here + cols * kLanes, from_right(load(here)));
  }
  if (y == 0) {  // the top row is what lies under the blocks above
    float* const under = at + edges.rows * row;
    for (int x = -1; x <= cols; ++x) store(under + x * kLanes, from_below(load(at + x * kLanes)));
  }
  if (y + rows == edges.rows) {
    const float* const bottom = at + (rows - 1) * row;
    float* const over = at - (y + 1) * row;
    for (int x = -1; x <= cols; ++x) {
      store(over + x * kLanes, from_above(load(bottom + x * kLanes)));
    }
  }
}

template <int kRows, int kCols, int kStep>
TICKET_INLINE void conv_tile(const Strides& strides, const Filter& filter, const Tap* taps,
                             const Spot& spot) {
  constexpr int kSplit = SplitSums<kRows * kCols>::kSplit;
  SplitSums<kRows * kCols> sums(begin_sums<kRows, kCols>(strides, filter, spot));
  Walk walk(taps + filter.taps, spot.in);
  const Tap* const end = walk.tap + filter.count;
  if constexpr (kSplit > 1) {
    while (end - walk.tap >= kSplit) {
#pragma GCC unroll 4
      for (int s = 0; s < kSplit; ++s) {
        add_tap<kRows, kCols, kStep>(walk, spot.in_row, sums.part[s]);
      }
    }
  }
  while (walk.tap != end) add_tap<kRows, kCols, kStep>(walk, spot.in_row, sums.part[0]);
  end_sums<kRows, kCols>(strides, filter, spot, sums.all());
}

// What all tiles of a step share.
inline Strides strides_of(const ConvStep& step) {
  return {step.out.row,
          step.out.plane,
          step.residual.row,
          step.residual.plane,
          step.act,
          step.has_residual != 0};
}

// Of a tile of these rows and columns that begins at row y, column x.
inline Rim rim_at(const ConvStep& step, int rows, int cols, std::int32_t y, std::int32_t x) {
  const Edges& edges = step.edges;
  Rim rim;
  if (step.edges_at_tile == 0 || edges.halo == 0) return rim;
  if (x + cols == edges.cols) rim.left = -std::int64_t{x + 1} * kLanes;
  if (x == 0) rim.right = std::int64_t{edges.cols} * kLanes;
  if (y == 0) rim.under = edges.rows * step.out.row;
  if (y + rows == edges.rows) rim.over = -(y + 1) * step.out.row;
  return rim;
}

template <int kRows, int kCols>
inline Spot spot_at(const ConvStep& step, float* arena, std::int32_t y, std::int32_t x) {
  Spot spot;
  spot.in = arena + step.in.at + y * step.in_row + x * step.in_col;
  spot.in_row = step.in_row;
  spot.out = arena + step.out.at + y * step.out.row + x * kLanes;
  spot.residual = arena + step.residual.at + y * step.residual.row + x * kLanes;
  const Rim rim = rim_at(step, kRows, kCols, y, x);
  spot.rim = rim;
  spot.has_rim = (rim.left | rim.right | rim.under | rim.over) != 0;
  spot.is_whole = rim.left != 0 && rim.right != 0 && rim.under != 0 && rim.over != 0;
  spot.is_cut = step.edges_at_tile != 0 && step.edges.cut != 0;
  if (spot.is_cut) {
    for (int i = 0; i < kRows * kCols; ++i) {
      spot.masks[i] = mask_at(step.edges, y + i / kCols, x + i % kCols);
    }
  }
  return spot;
}

void edges_of_channel(const Edges& edges, const Place& place, std::int32_t channel, float* arena);

// What follows the writing of the share's channels, where tiles have not done it.
inline void edges_of_share(const Edges& edges, const Place& place, std::int32_t channels,
                           const Share& share, float* arena) {
  if (edges.halo == 0 && edges.cut == 0) return;
  const std::int32_t end = share.end(channels);
  for (std::int32_t c = share.begin(channels); c < end; ++c) {
    edges_of_channel(edges, place, c, arena);
  }
}

template <int kRows, int kCols, int kStep>
void conv_region(const ConvStep& step, const Region& region, const Portion& portion,
                 const void* block, float* arena) {
  const Filter* const filters = inside<Filter>(block, step.filters);
  const Tap* const taps = inside<Tap>(block, step.taps);
  const Strides strides = strides_of(step);
  const std::int32_t at_once = step.filters_at_once;
  const Channels mine(portion.channels, step.out_channels);
  for (std::int32_t f = 0; f < step.filter_count; f += at_once) {
    const Filter* const begin = filters + f;
    const Filter* const end =
        filters + (step.filter_count - f < at_once ? step.filter_count : f + at_once);
    const std::int32_t end_down = portion.rows.end(region.tiles_down);
    for (std::int32_t down = portion.rows.begin(region.tiles_down); down < end_down; ++down) {
      const std::int32_t y = region.y + down * kRows;
      for (std::int32_t across = 0; across < region.tiles_across; ++across) {
        const std::int32_t x = region.x + across * kCols;
        const Spot spot = spot_at<kRows, kCols>(step, arena, y, x);
        for (const Filter* filter = begin; filter != end; ++filter) {
          if (!mine.has(filter->channel)) continue;
          if (filter + 1 != end) fetch_residual<kRows, kCols>(strides, filter[1], spot);
          conv_tile<kRows, kCols, kStep>(strides, *filter, taps, spot);
        }
      }
    }
  }
}

using RegionKernel = void (*)(const ConvStep&, const Region&, const Portion&, const void*, float*);

template <int kRows, int kCols, int kStep>
constexpr RegionKernel region_kernel() {
  if constexpr (kRows * kCols <= kTile) {
    return conv_region<kRows, kCols, kStep>;
  } else {
    return nullptr;
  }
}

template <int kRows, int kStep, std::size_t... kCols>
constexpr std::array<RegionKernel, kLanes> region_kernels(std::index_sequence<kCols...>) {
  return {{region_kernel<kRows, static_cast<int>(kCols) + 1, kStep>()...}};
}

template <int kStep>
RegionKernel region_kernel_of(const Region& region) {
  using Widths = std::make_index_sequence<kLanes>;
  static constexpr auto kOne = region_kernels<1, kStep>(Widths{});
  static constexpr auto kTwo = region_kernels<2, kStep>(Widths{});
  static constexpr auto kFour = region_kernels<4, kStep>(Widths{});
  const auto width = static_cast<std::size_t>(region.tile_cols - 1);
  return region.tile_rows == 1 ? kOne[width] : region.tile_rows == 2 ? kTwo[width] : kFour[width];
}

void conv(const ConvStep& step, const Share& share, const void* block, float* arena) {
  const Portion portion(step, share);
  for (std::int32_t i = 0; i < step.region_count; ++i) {
    const Region& region = step.regions[i];
    const RegionKernel kernel =
        step.step == 2 ? region_kernel_of<2>(region) : region_kernel_of<1>(region);
    kernel(step, region, portion, block, arena);
  }
  if (step.edges_at_tile != 0) return;  // tiles have written their halo
  edges_of_share(step.edges, step.out, step.out_channels, portion.channels, arena);
}
