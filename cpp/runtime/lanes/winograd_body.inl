// Nearly dense 3 x 3 convolutions by Winograd's way (winograd.h), for any Lanes: included by
// each set's file inside its target region.
//
// A tile of 4 x 4 outputs takes 36 products a channel pair instead of 144.  The floor: these, and
// 24 additions and multiplications for each of 36 vectors of a channel's tile on the way in, 20 on
// the way out; with 64 channels each way 40 of 144.

// Powers of the points 3/4 and 3/2, and sums of these, all exact.
constexpr float kPoint = 0.75f, kFar = 1.5f;
constexpr float kPoint2 = kPoint * kPoint, kFar2 = kFar * kFar;
constexpr float kPoint3 = kPoint2 * kPoint, kFar3 = kFar2 * kFar;

constexpr int kWinogradSpots = kWinogradSide * kWinogradSide;

// Six inputs in a row or column, `stride` floats apart.
TICKET_INLINE void transform_input(const float* from, std::int64_t stride, float* to,
                                   std::int64_t to_stride) {
  Lanes in[kWinogradSide];
#pragma GCC unroll 6
  for (int i = 0; i < kWinogradSide; ++i) in[i] = load(from + i * stride);
  const auto put = [&](int i, Lanes value) { store(to + i * to_stride, value); };
  const Lanes both = same(-kPoint2 - kFar2), product = same(kPoint2 * kFar2);
  put(0, multiply_add(product, in[0], multiply_add(both, in[2], in[4])));
  put(5, multiply_add(product, in[1], multiply_add(both, in[3], in[5])));
  const auto pair = [&](int at, float point, float other2) {
    const Lanes even = multiply_add(same(-other2), in[2], in[4]);
    const Lanes odd = multiply_add(same(-other2), in[1], in[3]);
    put(at, multiply_add(same(point), odd, even));
    put(at + 1, multiply_add(same(-point), odd, even));
  };
  pair(1, kPoint, kFar2);
  pair(3, kFar, kPoint2);
}

// Four outputs of six products.
struct FourLanes {
  Lanes of[kWinogradTile];
};

TICKET_INLINE FourLanes transform_output(const float* from, std::int64_t stride) {
  const auto at = [&](int i) { return load(from + i * stride); };
  const Lanes near = at(1), near_too = at(2), far = at(3), far_too = at(4);
  const Lanes minus = same(-1.0f);
  const Lanes near_sum = plus(near, near_too), far_sum = plus(far, far_too);
  const Lanes near_gap = multiply_add(minus, near_too, near);
  const Lanes far_gap = multiply_add(minus, far_too, far);
  FourLanes out;
  out.of[0] = plus(at(0), plus(near_sum, far_sum));
  out.of[1] = multiply_add(same(kPoint), near_gap, times(same(kFar), far_gap));
  out.of[2] = multiply_add(same(kPoint2), near_sum, times(same(kFar2), far_sum));
  out.of[3] = multiply_add(same(kPoint3), near_gap, multiply_add(same(kFar3), far_gap, at(5)));
  return out;
}

void winograd_enter(const WinogradStep& step, const Share& share, float* arena) {
  alignas(64) float half[kWinogradSpots * kLanes];
  const std::int64_t slice = step.slice();
  const std::int32_t end = share.end(step.in_channels);
  for (std::int32_t c = share.begin(step.in_channels); c < end; ++c) {
    for (std::int32_t t = 0; t < step.tiles; ++t) {
      const float* const from = arena + step.in.at + c * step.in.plane + step.corner(t, step.in);
      for (int x = 0; x < kWinogradSide; ++x) {
        transform_input(from + x * kLanes, step.in.row, half + x * kLanes,
                        kWinogradSide * kLanes);
      }
      float* const to = arena + step.spots + (c * step.tiles + t) * kLanes;
      for (int y = 0; y < kWinogradSide; ++y) {
        transform_input(half + y * kWinogradSide * kLanes, kLanes, to + y * kWinogradSide * slice,
                        slice);
      }
    }
  }
}

// The weights of a wide layer do not fit L2 and come from beyond it, each once: two KiB ahead.
constexpr int kWeightsAhead = 64 * kWinogradOuts;

// The products of one spot: kOuts output channels, kTiles tiles.
template <int kOuts, int kTiles>
TICKET_INLINE void spot_products(const float* weight, const float* in, std::int32_t channels,
                                 std::int32_t tiles, float* out) {
  Lanes sum[kOuts][kTiles];
#pragma GCC unroll 8
  for (int o = 0; o < kOuts; ++o) {
#pragma GCC unroll 2
    for (int t = 0; t < kTiles; ++t) sum[o][t] = same(0.0f);
  }
  const std::int64_t next = std::int64_t{tiles} * kLanes;
  for (std::int32_t c = 0; c < channels; ++c, in += next, weight += kWinogradOuts) {
    __builtin_prefetch(weight + kWeightsAhead);
    Lanes input[kTiles];
#pragma GCC unroll 2
    for (int t = 0; t < kTiles; ++t) input[t] = load(in + t * kLanes);
#pragma GCC unroll 8
    for (int o = 0; o < kOuts; ++o) {
      const Lanes factor = same(weight[o]);
#pragma GCC unroll 2
      for (int t = 0; t < kTiles; ++t) sum[o][t] = multiply_add(factor, input[t], sum[o][t]);
    }
  }
#pragma GCC unroll 8
  for (int o = 0; o < kOuts; ++o) {
#pragma GCC unroll 2
    for (int t = 0; t < kTiles; ++t) {
      store(out + (o * kMostWinogradTiles + t) * kWinogradSpots * kLanes, sum[o][t]);
    }
  }
}

// All eight output channels of a group, as many at once as there are registers for.
template <int kTiles>
inline void group_products(const float* weight, const float* in, std::int32_t channels,
                           std::int32_t tiles, float* out) {
  constexpr int kOuts = kTile < 16 ? 4 : kWinogradOuts;
  for (int o = 0; o < kWinogradOuts; o += kOuts) {
    spot_products<kOuts, kTiles>(weight + o, in, channels, tiles,
                                 out + o * kMostWinogradTiles * kWinogradSpots * kLanes);
  }
}

// One channel's tile from its 36 sums.
inline void finish_tile(const WinogradStep& step, const float* sums, float bias, const float* rest,
                        float* out) {
  alignas(64) float half[kWinogradTile * kWinogradSide * kLanes];
  for (int x = 0; x < kWinogradSide; ++x) {
    const FourLanes column = transform_output(sums + x * kLanes, kWinogradSide * kLanes);
#pragma GCC unroll 4
    for (int y = 0; y < kWinogradTile; ++y) {
      store(half + (y * kWinogradSide + x) * kLanes, column.of[y]);
    }
  }
  for (int y = 0; y < kWinogradTile; ++y) {
    const FourLanes row = transform_output(half + y * kWinogradSide * kLanes, kLanes);
#pragma GCC unroll 4
    for (int x = 0; x < kWinogradTile; ++x) {
      Lanes value = plus(row.of[x], same(bias));
      if (rest != nullptr) value = plus(value, load(rest + y * step.residual.row + x * kLanes));
      store(out + y * step.out.row + x * kLanes, activated(value, step.act));
    }
  }
}

void winograd_leave(const WinogradStep& step, const Share& share, const void* block,
                    float* arena) {
  alignas(64) float sums[kWinogradOuts * kMostWinogradTiles * kWinogradSpots * kLanes];
  const std::int64_t slice = step.slice();
  const std::int32_t groups = (step.out_channels + kWinogradOuts - 1) / kWinogradOuts;
  for (std::int32_t g = share.begin(groups); g < share.end(groups); ++g) {
    const float* weights = inside<float>(block, step.weights) +
                           std::int64_t{g} * kWinogradSpots * step.in_channels * kWinogradOuts;
    for (int spot = 0; spot < kWinogradSpots; ++spot) {
      const float* const in = arena + step.spots + spot * slice;
      float* const out = sums + spot * kLanes;
      std::int32_t t = 0;
      if constexpr (kTile >= 16) {
        for (; t + 2 <= step.tiles; t += 2) {
          group_products<2>(weights, in + t * kLanes, step.in_channels, step.tiles,
                            out + t * kWinogradSpots * kLanes);
        }
      }
      for (; t < step.tiles; ++t) {
        group_products<1>(weights, in + t * kLanes, step.in_channels, step.tiles,
                          out + t * kWinogradSpots * kLanes);
      }
      weights += std::int64_t{step.in_channels} * kWinogradOuts;
    }
    const std::int32_t channel = g * kWinogradOuts;
    const float* const bias = inside<float>(block, step.bias) + channel;
    for (std::int32_t o = 0; o < kWinogradOuts && channel + o < step.out_channels; ++o) {
      const std::int64_t plane = channel + o;
      for (std::int32_t t = 0; t < step.tiles; ++t) {
        const float* const rest =
            step.has_residual == 0 ? nullptr
                                   : arena + step.residual.at + plane * step.residual.plane +
                                         step.corner(t, step.residual);
        finish_tile(step, sums + (o * kMostWinogradTiles + t) * kWinogradSpots * kLanes, bias[o],
                    rest,
                    arena + step.out.at + plane * step.out.plane + step.corner(t, step.out));
      }
      if (step.is_last != 0 && (step.edges.halo != 0 || step.edges.cut != 0)) {
        edges_of_channel(step.edges, step.out, channel + o, arena);
      }
    }
  }
}
