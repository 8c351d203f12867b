// The sparse convolution, for any Lanes: included by kernels_*.cpp inside their target region.
//
// A tile of outputs stays in registers while one filter's taps run over it: a tap costs one
// broadcast and, for each vector of the tile, one multiply-add with an aligned load.  That load is
// the floor: one vector a cycle and load port from L1, half of it or less from L2.

// Walks over taps.  Where a tap reads is fetched one tap before: loads that wait for their address
// fill the queue that the ones after them need (Zen 2, a tile of 12 registers: 8.9 cycles a tap so,
// 6.9 this way; the floor is 6 and 0.5 for each of offset and weight).  So the tap behind the last
// one must be readable.
struct Walk {
  const Tap* tap;
  const float* base;  // what offsets count from
  const float* at;    // where this tap reads

  Walk(const Tap* first, const float* from) : tap(first), base(from), at(from + first->offset) {}
};

// The asm keeps the compiler from moving the load to where its result is used, and from spreading
// the address over as many sums as there are loads.
TICKET_INLINE const float* next_tap(Walk& walk) {
  const float* now = walk.at;
  std::int64_t ahead = walk.tap[1].offset;
  asm volatile("" : "+r"(ahead), "+r"(now));
  walk.at = walk.base + ahead;
  ++walk.tap;
  return now;
}

inline Lanes activated(Lanes value, Act act) {
  if (act == Act::kNone) return value;
  return act == Act::kRelu ? relu(value) : relu6(value);
}

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

// Where the filters of one tile work; all but `in` for channel 0.
struct Spot {
  const float* in;
  std::int64_t in_row;
  float* out;
  const float* residual;
  bool is_cut;
  const std::int32_t* masks[kLanes];  // of the tile's vectors, where the image is cut
};

// What does not change while a step runs, in locals: stores would else make the compiler read it
// again.
struct Strides {
  std::int64_t out_row, out_plane, residual_row, residual_plane;
  Act act;
  bool has_residual;
};

template <int kSize>
struct Sums {
  Lanes of[kSize];
};

template <int kSize>
TICKET_INLINE Sums<kSize> no_sums() {
  Sums<kSize> sums;
#pragma GCC unroll 16
  for (int i = 0; i < kSize; ++i) sums.of[i] = same(0.0f);
  return sums;
}

// What a filter's sums begin with: bias and residual, or what the block of channels before made.
template <int kRows, int kCols>
TICKET_INLINE Sums<kRows * kCols> begin_sums(const Strides& strides, const Filter& filter,
                                             const Spot& spot) {
  constexpr int kSize = kRows * kCols;
  Sums<kSize> sums;
  if (filter.first == 0) {
    const float* const out = spot.out + filter.channel * strides.out_plane;
#pragma GCC unroll 16
    for (int i = 0; i < kSize; ++i) {
      sums.of[i] = load(out + (i / kCols) * strides.out_row + (i % kCols) * kLanes);
    }
    return sums;
  }
  const Lanes bias = same(filter.bias);
#pragma GCC unroll 16
  for (int i = 0; i < kSize; ++i) sums.of[i] = bias;
  if (strides.has_residual) {
    const float* const residual = spot.residual + filter.channel * strides.residual_plane;
#pragma GCC unroll 16
    for (int i = 0; i < kSize; ++i) {
      sums.of[i] = plus(sums.of[i], load(residual + (i / kCols) * strides.residual_row +
                                         (i % kCols) * kLanes));
    }
  }
  return sums;
}

// Activation and mask after the last block of channels, and the way to memory.
template <int kRows, int kCols>
TICKET_INLINE void end_sums(const Strides& strides, const Filter& filter, const Spot& spot,
                            Sums<kRows * kCols> sums) {
  constexpr int kSize = kRows * kCols;
  if (filter.last != 0) {
    if (strides.act != Act::kNone) {
#pragma GCC unroll 16
      for (int i = 0; i < kSize; ++i) sums.of[i] = activated(sums.of[i], strides.act);
    }
    if (spot.is_cut) {
#pragma GCC unroll 16
      for (int i = 0; i < kSize; ++i) sums.of[i] = masked(sums.of[i], spot.masks[i]);
    }
  }
  float* const out = spot.out + filter.channel * strides.out_plane;
#pragma GCC unroll 16
  for (int i = 0; i < kSize; ++i) {
    store(out + (i / kCols) * strides.out_row + (i % kCols) * kLanes, sums.of[i]);
  }
}

// Adds one tap's products to the rows kTop.. of a tile.
template <int kRows, int kCols, int kStep, int kTop = 0, int kBottom = kRows>
TICKET_INLINE void add_tap(Walk& walk, std::int64_t in_row, Sums<kRows * kCols>& sums) {
  const Lanes weight = same(walk.tap->weight);
  const float* at = next_tap(walk) + kTop * in_row;
#pragma GCC unroll 4
  for (int row = kTop; row < kBottom; ++row) {
    // One address a row: the compiler would else keep a distance for each vector, in memory once
    // registers run out.
    if (row > kTop) {
      at += in_row;
      asm volatile("" : "+r"(at));
    }
#pragma GCC unroll 16
    for (int i = row * kCols; i < (row + 1) * kCols; ++i) {
      sums.of[i] = multiply_add(weight, load(at + (i % kCols) * kStep * kLanes), sums.of[i]);
    }
  }
}

template <int kRows, int kCols, int kStep>
TICKET_INLINE void conv_tile(const Strides& strides, const Filter& filter, const Tap* taps,
                             const Spot& spot) {
  constexpr int kSize = kRows * kCols;
  // A sum waits for its last addition: few sums at once need company to keep the CPU busy.
  constexpr int kSplit = kSize == 1 ? 4 : kSize <= 3 ? 2 : 1;
  Sums<kSize> sum[kSplit];
  sum[0] = begin_sums<kRows, kCols>(strides, filter, spot);
#pragma GCC unroll 4
  for (int s = 1; s < kSplit; ++s) sum[s] = no_sums<kSize>();

  Walk walk(taps + filter.taps, spot.in);
  const Tap* const end = walk.tap + filter.count;
  if constexpr (kSplit > 1) {
    while (end - walk.tap >= kSplit) {
#pragma GCC unroll 4
      for (int s = 0; s < kSplit; ++s) add_tap<kRows, kCols, kStep>(walk, spot.in_row, sum[s]);
    }
  }
  while (walk.tap != end) add_tap<kRows, kCols, kStep>(walk, spot.in_row, sum[0]);
#pragma GCC unroll 4
  for (int s = 1; s < kSplit; ++s) {
#pragma GCC unroll 16
    for (int i = 0; i < kSize; ++i) sum[0].of[i] = plus(sum[0].of[i], sum[s].of[i]);
  }
  end_sums<kRows, kCols>(strides, filter, spot, sum[0]);
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

template <int kRows, int kCols>
inline Spot spot_at(const ConvStep& step, float* arena, std::int32_t y, std::int32_t x) {
  Spot spot;
  spot.in = arena + step.in.at + y * step.in_row + x * step.in_col;
  spot.in_row = step.in_row;
  spot.out = arena + step.out.at + y * step.out.row + x * kLanes;
  spot.residual = arena + step.residual.at + y * step.residual.row + x * kLanes;
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
  for (std::int32_t c = share.part; c < channels; c += share.parts) {
    edges_of_channel(edges, place, c, arena);
  }
}

template <int kRows, int kCols, int kStep>
void conv_region(const ConvStep& step, const Region& region, const Share& share,
                 const void* block, float* arena) {
  const Filter* const filters = inside<Filter>(block, step.filters);
  const Tap* const taps = inside<Tap>(block, step.taps);
  const Strides strides = strides_of(step);
  const bool has_halo = step.edges_at_tile != 0 && step.edges.halo != 0;
  const std::int32_t at_once = step.filters_at_once;
  for (std::int32_t f = 0; f < step.filter_count; f += at_once) {
    const Filter* const begin = filters + f;
    const Filter* const end =
        filters + (step.filter_count - f < at_once ? step.filter_count : f + at_once);
    for (std::int32_t down = 0; down < region.tiles_down; ++down) {
      const std::int32_t y = region.y + down * kRows;
      for (std::int32_t across = 0; across < region.tiles_across; ++across) {
        const std::int32_t x = region.x + across * kCols;
        const Spot spot = spot_at<kRows, kCols>(step, arena, y, x);
        for (const Filter* filter = begin; filter != end; ++filter) {
          if (!share.has(filter->channel)) continue;
          conv_tile<kRows, kCols, kStep>(strides, *filter, taps, spot);
          if (has_halo && filter->last != 0) {
            write_ring(step.edges, strides.out_row,
                       spot.out + filter->channel * strides.out_plane, y, kRows, kCols);
          }
        }
      }
    }
  }
}

using RegionKernel = void (*)(const ConvStep&, const Region&, const Share&, const void*, float*);

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
  for (std::int32_t i = 0; i < step.region_count; ++i) {
    const Region& region = step.regions[i];
    const RegionKernel kernel =
        step.step == 2 ? region_kernel_of<2>(region) : region_kernel_of<1>(region);
    kernel(step, region, share, block, arena);
  }
  if (step.edges_at_tile == 0) {
    edges_of_share(step.edges, step.out, step.out_channels, share, arena);
  }
}
