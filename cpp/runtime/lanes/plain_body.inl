// Products with one plain vector, for any Lanes: included by each set's file inside its target
// region.

inline float activated_one(float value, Act act) {
  if (act == Act::kNone) return value;
  if (value < 0.0f) return 0.0f;
  return act == Act::kRelu6 && value > 6.0f ? 6.0f : value;
}

// One multiply-add a cycle at best: the vector is read at random places.
void plain_linear(const PlainStep& step, const void* block, float* arena) {
  const Filter* const filters = inside<Filter>(block, step.filters);
  const Tap* const taps = inside<Tap>(block, step.taps);
  const float* const in = arena + step.in;
  for (std::int32_t i = 0; i < step.rows; ++i) {
    const Filter& filter = filters[i];
    const Tap* tap = taps + filter.taps;
    const Tap* const end = tap + filter.count;
    float sum[4] = {filter.bias, 0.0f, 0.0f, 0.0f};
    for (; end - tap >= 4; tap += 4) {
      for (int k = 0; k < 4; ++k) sum[k] += tap[k].weight * in[tap[k].offset];
    }
    for (; tap != end; ++tap) sum[0] += tap->weight * in[tap->offset];
    float value = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    if (step.residual >= 0) value += arena[step.residual + filter.channel];
    arena[step.out + filter.channel] = activated_one(value, step.act);
  }
}

// Four rows share each load of the vector.
template <int kRows>
inline void dense_rows(const PlainStep& step, const void* block, float* arena, std::int32_t row) {
  const float* const in = arena + step.in;
  const float* const weights =
      inside<float>(block, step.weights) + std::int64_t{row} * step.in_size;
  const float* const bias = inside<float>(block, step.bias);
  Lanes sum[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) sum[r] = same(0.0f);
  std::int32_t i = 0;
  for (; i + kLanes <= step.in_size; i += kLanes) {
    const Lanes input = load(in + i);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      sum[r] = multiply_add(load(weights + std::int64_t{r} * step.in_size + i), input, sum[r]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    float value = total(sum[r]) + bias[row + r];
    for (std::int32_t rest = i; rest < step.in_size; ++rest) {
      value += weights[std::int64_t{r} * step.in_size + rest] * in[rest];
    }
    if (step.residual >= 0) value += arena[step.residual + row + r];
    arena[step.out + row + r] = activated_one(value, step.act);
  }
}

void plain_dense(const PlainStep& step, const void* block, float* arena) {
  std::int32_t row = 0;
  for (; row + 4 <= step.rows; row += 4) dense_rows<4>(step, block, arena, row);
  for (; row < step.rows; ++row) dense_rows<1>(step, block, arena, row);
}
