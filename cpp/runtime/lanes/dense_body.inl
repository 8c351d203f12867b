// The dense convolution, for any Lanes: included by each set's file inside its target region.
//
// Four output channels share each load of the input, and all share one list of offsets: with a
// tile of six vectors 24 multiply-adds need 6 loads and 4 broadcasts.

template <int kRows, int kCols>
inline void dense_tile(const ConvStep& step, const DenseGroup& group, const std::int32_t* offsets,
                       const float* weights, std::int32_t y, std::int32_t x, float* arena) {
  constexpr int kSize = kRows * kCols;
  const float* at[kSize];
  for (int i = 0; i < kSize; ++i) {
    at[i] = arena + step.in.at + group.base + (y + i / kCols) * step.in_row +
            (x + i % kCols) * step.in_col;
  }
  Lanes sum[kDenseWidth][kSize];
#pragma GCC unroll 4
  for (int k = 0; k < kDenseWidth; ++k) {
    const Lanes bias = same(group.bias[k]);
#pragma GCC unroll 8
    for (int i = 0; i < kSize; ++i) sum[k][i] = bias;
  }
  const float* weight = weights + group.weights;
  for (std::int32_t tap = 0; tap < group.count; ++tap, weight += kDenseWidth) {
    const std::int64_t offset = offsets[tap];
    Lanes input[kSize];
#pragma GCC unroll 8
    for (int i = 0; i < kSize; ++i) input[i] = load(at[i] + offset);
#pragma GCC unroll 4
    for (int k = 0; k < kDenseWidth; ++k) {
      const Lanes factor = same(weight[k]);
#pragma GCC unroll 8
      for (int i = 0; i < kSize; ++i) sum[k][i] = multiply_add(factor, input[i], sum[k][i]);
    }
  }
#pragma GCC unroll 4
  for (int k = 0; k < kDenseWidth; ++k) {
    if (k >= group.width) break;
    const std::int64_t channel = group.channel + k;
    float* const out =
        arena + step.out.at + channel * step.out.plane + y * step.out.row + x * kLanes;
    const float* const residual = arena + step.residual.at + channel * step.residual.plane +
                                  y * step.residual.row + x * kLanes;
#pragma GCC unroll 8
    for (int i = 0; i < kSize; ++i) {
      Lanes value = sum[k][i];
      if (step.has_residual != 0) {
        value = plus(value,
                     load(residual + (i / kCols) * step.residual.row + (i % kCols) * kLanes));
      }
      store(out + (i / kCols) * step.out.row + (i % kCols) * kLanes, activated(value, step.act));
    }
  }
}

template <int kRows, int kCols>
void dense_region(const ConvStep& step, const Region& region, const Portion& portion,
                  const void* block, float* arena) {
  if constexpr (kRows * kCols <= kDenseTile) {
    const DenseGroup* const groups = inside<DenseGroup>(block, step.filters);
    const std::int32_t* const offsets = inside<std::int32_t>(block, step.offsets);
    const float* const weights = inside<float>(block, step.weights);
    const std::int32_t end = portion.channels.end(step.filter_count);
    const std::int32_t tiles = portion.rows.end(region.tiles_down) * region.tiles_across;
    std::int32_t next = 0;
    for (std::int32_t first = portion.channels.begin(step.filter_count); first < end;
         first = next) {
      next = end - first < step.filters_at_once ? end : first + step.filters_at_once;
      std::int32_t tile = portion.rows.begin(region.tiles_down) * region.tiles_across;
      for (; tile < tiles; ++tile) {
        const std::int32_t y = region.y + tile / region.tiles_across * kRows;
        const std::int32_t x = region.x + tile % region.tiles_across * kCols;
        for (std::int32_t i = first; i < next; ++i) {
          dense_tile<kRows, kCols>(step, groups[i], offsets, weights, y, x, arena);
        }
      }
    }
  }
}

// The halo around the rows that are a share's, of all channels.
inline void ring_of_rows(const ConvStep& step, const Share& rows, float* arena) {
  if (step.edges.halo == 0) return;
  const Region& region = step.regions[0];
  const std::int32_t y = rows.begin(region.tiles_down) * region.tile_rows;
  const std::int32_t end = rows.end(region.tiles_down) * region.tile_rows;
  if (y == end) return;
  float* at = arena + step.out.at + y * step.out.row;
  for (std::int32_t c = 0; c < step.out_channels; ++c, at += step.out.plane) {
    write_ring(step.edges, step.out.row, at, y, end - y, step.edges.cols);
  }
}

void dense_conv(const ConvStep& step, const Share& share, const void* block, float* arena) {
  const Portion portion(step, share);
  for (std::int32_t i = 0; i < step.region_count; ++i) {
    const Region& region = step.regions[i];
    switch (region.tile_rows * 8 + region.tile_cols) {
      case 8 + 1: dense_region<1, 1>(step, region, portion, block, arena); break;
      case 8 + 2: dense_region<1, 2>(step, region, portion, block, arena); break;
      case 8 + 3: dense_region<1, 3>(step, region, portion, block, arena); break;
      case 8 + 4: dense_region<1, 4>(step, region, portion, block, arena); break;
      case 8 + 5: dense_region<1, 5>(step, region, portion, block, arena); break;
      case 8 + 6: dense_region<1, 6>(step, region, portion, block, arena); break;
      case 16 + 1: dense_region<2, 1>(step, region, portion, block, arena); break;
      case 16 + 2: dense_region<2, 2>(step, region, portion, block, arena); break;
      case 16 + 3: dense_region<2, 3>(step, region, portion, block, arena); break;
      case 32 + 1: dense_region<4, 1>(step, region, portion, block, arena); break;
      default: break;
    }
  }
  if (portion.by_rows) return ring_of_rows(step, portion.rows, arena);
  if (step.edges.halo == 0 && step.edges.cut == 0) return;
  const DenseGroup* const groups = inside<DenseGroup>(block, step.filters);
  const std::int32_t end = portion.channels.end(step.filter_count);
  for (std::int32_t i = portion.channels.begin(step.filter_count); i < end; ++i) {
    for (std::int32_t k = 0; k < groups[i].width; ++k) {
      edges_of_channel(step.edges, step.out, groups[i].channel + k, arena);
    }
  }
}
