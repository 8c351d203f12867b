// Pools, elementwise steps and halos, for any Lanes: included by each set's file inside its
// target region.  They stream: what counts is that each tensor is passed over once.

// Where local position `at` of a block really lies: `steps` blocks on, at `rest` in that block.
struct Neighbour {
  std::int32_t steps;
  std::int32_t rest;
};

inline Neighbour neighbour(std::int32_t at, std::int32_t size) {
  const std::int32_t steps = at >= 0 ? at / size : -((-at + size - 1) / size);
  return {steps, at - steps * size};
}

inline void write_halo_vector(const Edges& edges, const Place& place, float* plane, std::int32_t y,
                              std::int32_t x) {
  const Neighbour down = neighbour(y, edges.rows);
  const Neighbour right = neighbour(x, edges.cols);
  Lanes value = load(plane + down.rest * place.row + right.rest * kLanes);
  for (std::int32_t i = 0; i < down.steps; ++i) value = from_below(value);
  for (std::int32_t i = 0; i < -down.steps; ++i) value = from_above(value);
  for (std::int32_t i = 0; i < right.steps; ++i) value = from_right(value);
  for (std::int32_t i = 0; i < -right.steps; ++i) value = from_left(value);
  store(plane + y * place.row + x * kLanes, value);
}

void edges_of_channel(const Edges& edges, const Place& place, std::int32_t channel,
                      float* arena) {
  const std::int32_t rows = edges.rows;
  const std::int32_t cols = edges.cols;
  float* const plane = arena + place.at + channel * place.plane;
  if (edges.cut != 0) {
    for (std::int32_t y = 0; y < rows; ++y) {
      const int down = blocks_inside(y, rows, edges.height);
      for (std::int32_t x = 0; x < cols; ++x) {
        const int across = blocks_inside(x, cols, edges.width);
        if (down == kBlocks && across == kBlocks) continue;
        float* const at = plane + y * place.row + x * kLanes;
        store(at, masked(load(at), kBlockMasks.of[down][across]));
      }
    }
  }
  if (edges.halo == 1) return write_ring(edges, place.row, plane, 0, rows, cols);
  for (std::int32_t y = -edges.halo; y < rows + edges.halo; ++y) {
    const bool outside = y < 0 || y >= rows;
    for (std::int32_t x = -edges.halo; x < cols + edges.halo; ++x) {
      if (!outside && x == 0) x = cols;  // over the block itself
      if (x < cols + edges.halo) write_halo_vector(edges, place, plane, y, x);
    }
  }
}

void edges(const Edges& edges, const Place& place, std::int32_t channels, float* arena) {
  edges_of_share(edges, place, channels, {}, arena);
}

// The taps first..end - 1 of a window that begins at `from` lie inside 0..size - 1.
struct Span {
  std::int32_t first;
  std::int32_t end;
};

inline Span clipped(std::int64_t from, std::int32_t kernel, std::int32_t dilation,
                    std::int32_t size, bool clip) {
  if (!clip) return {0, kernel};
  const std::int64_t first = from >= 0 ? 0 : (-from + dilation - 1) / dilation;
  const std::int64_t end = from >= size ? 0 : (size - from + dilation - 1) / dilation;
  const std::int64_t last = end < kernel ? end : kernel;
  return {static_cast<std::int32_t>(first < last ? first : last), static_cast<std::int32_t>(last)};
}

// How many of 0..size + pads - 1, counted from the padding's begin, a window covers.
inline std::int64_t covered(std::int64_t from, std::int64_t kernel, std::int64_t size,
                            std::int64_t pad_end) {
  const std::int64_t end = size + pad_end;
  return (from + kernel < end ? from + kernel : end) - from;
}

template <bool kMax>
inline Lanes pool_window(const PoolStep& step, const float* plane, std::int32_t y, std::int32_t x) {
  const Window& w = step.window;
  const std::int64_t top = std::int64_t{y} * w.stride_h - w.pad_top;
  const std::int64_t left = std::int64_t{x} * w.stride_w - w.pad_left;
  const auto kernel_h = static_cast<std::int32_t>(w.kernel_h);
  const auto kernel_w = static_cast<std::int32_t>(w.kernel_w);
  const auto dilation_h = static_cast<std::int32_t>(w.dilation_h);
  const auto dilation_w = static_cast<std::int32_t>(w.dilation_w);
  const Span down = clipped(top, kernel_h, dilation_h, step.in_rows, step.clip != 0);
  const Span across = clipped(left, kernel_w, dilation_w, step.in_cols, step.clip != 0);
  Lanes result = same(kMax ? -__builtin_inff() : 0.0f);
  for (std::int32_t ky = down.first; ky < down.end; ++ky) {
    const float* const row =
        plane + (top + std::int64_t{ky} * dilation_h) * step.in.row + left * kLanes;
    for (std::int32_t kx = across.first; kx < across.end; ++kx) {
      const Lanes value = load(row + std::int64_t{kx} * dilation_w * kLanes);
      result = kMax ? larger(result, value) : plus(result, value);
    }
  }
  if (kMax) return result;
  std::int64_t count = std::int64_t{down.end - down.first} * (across.end - across.first);
  if (step.count_pad != 0) {
    count = covered(top, kernel_h, step.in_rows, w.pad_bottom) *
            covered(left, kernel_w, step.in_cols, w.pad_right);
  }
  return count > 0 ? times(result, same(1.0f / static_cast<float>(count))) : same(0.0f);
}

template <bool kMax>
inline void pool_planes(const PoolStep& step, const Share& share, float* arena) {
  const std::int32_t end = share.end(step.channels);
  for (std::int32_t c = share.begin(step.channels); c < end; ++c) {
    const float* const plane = arena + step.in.at + c * step.in.plane;
    float* const out = arena + step.out.at + c * step.out.plane;
    for (std::int32_t y = 0; y < step.rows; ++y) {
      for (std::int32_t x = 0; x < step.cols; ++x) {
        store(out + y * step.out.row + x * kLanes, pool_window<kMax>(step, plane, y, x));
      }
    }
  }
}

void pool(const PoolStep& step, const Share& share, float* arena) {
  if (step.max != 0) {
    pool_planes<true>(step, share, arena);
  } else {
    pool_planes<false>(step, share, arena);
  }
  edges_of_share(step.edges, step.out, step.channels, share, arena);
}

void mean_blocks(const MeanStep& step, float* arena) {
  for (std::int32_t c = 0; c < step.channels; ++c) {
    const float* const plane = arena + step.in.at + c * step.in.plane;
    Lanes sum = same(0.0f);
    for (std::int32_t y = 0; y < step.rows; ++y) {
      for (std::int32_t x = 0; x < step.cols; ++x) {
        sum = plus(sum, load(plane + y * step.in.row + x * kLanes));
      }
    }
    arena[step.out + c] = total(sum) * step.scale;
  }
}

template <Elementwise kWhat>
void each_vector(const ElementwiseStep& step, const void* block, float* arena) {
  const float* const scale = inside<float>(block, step.scale);
  const float* const shift = inside<float>(block, step.shift);
  for (std::int32_t c = 0; c < step.channels; ++c) {
    const float* const b_plane = arena + step.b.at + c * step.b.plane;
    Lanes factor = same(0.0f);
    Lanes offset = same(0.0f);
    if constexpr (kWhat == Elementwise::kMulChannel) factor = load(b_plane);
    if constexpr (kWhat == Elementwise::kMulScalar) factor = same(*b_plane);
    if constexpr (kWhat == Elementwise::kAffine) {
      factor = same(scale[c]);
      offset = same(shift[c]);
    }
    for (std::int32_t y = 0; y < step.rows; ++y) {
      const float* const a = arena + step.a.at + c * step.a.plane + y * step.a.row;
      const float* const b = b_plane + y * step.b.row;
      float* const out = arena + step.out.at + c * step.out.plane + y * step.out.row;
      for (std::int32_t i = 0; i < step.cols * kLanes; i += kLanes) {
        Lanes value = load(a + i);
        if constexpr (kWhat == Elementwise::kAdd) value = plus(value, load(b + i));
        if constexpr (kWhat == Elementwise::kMul) value = times(value, load(b + i));
        if constexpr (kWhat == Elementwise::kMulChannel || kWhat == Elementwise::kMulScalar) {
          value = times(value, factor);
        }
        if constexpr (kWhat == Elementwise::kAffine) value = multiply_add(value, factor, offset);
        if constexpr (kWhat == Elementwise::kAffineVector) {
          value = multiply_add(value, load(scale + i), load(shift + i));
        }
        store(out + i, activated(value, step.act));
      }
    }
  }
}

void elementwise(const ElementwiseStep& step, const void* block, float* arena) {
  switch (step.what) {
    case Elementwise::kAct: each_vector<Elementwise::kAct>(step, block, arena); break;
    case Elementwise::kAdd: each_vector<Elementwise::kAdd>(step, block, arena); break;
    case Elementwise::kMul: each_vector<Elementwise::kMul>(step, block, arena); break;
    case Elementwise::kMulChannel: each_vector<Elementwise::kMulChannel>(step, block, arena); break;
    case Elementwise::kMulScalar: each_vector<Elementwise::kMulScalar>(step, block, arena); break;
    case Elementwise::kAffine: each_vector<Elementwise::kAffine>(step, block, arena); break;
    case Elementwise::kAffineVector:
      each_vector<Elementwise::kAffineVector>(step, block, arena);
      break;
  }
  edges(step.edges, step.out, step.channels, arena);
}
