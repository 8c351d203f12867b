// Convolutions whose output has a few pixels, for any instruction set: included by each set's file
// inside its target region, after a spread_plane.
//
// In blocks such an image would leave most lanes empty.  So it lies plain, and what one place of
// the window reads of one channel for all outputs is a column of four floats (im2col): a tap costs
// a column's load and those of its offset and weight, 1.5 cycles, where a vector of sixteen lanes
// takes three to four.

using Column = float __attribute__((vector_size(kColumn * sizeof(float))));

inline Column load_column(const float* from, std::int32_t pixels) {
  Column column = {};
  if (pixels == kColumn) {
    __builtin_memcpy(&column, from, sizeof column);
    return column;
  }
  for (std::int32_t i = 0; i < pixels; ++i) column[i] = from[i];
  return column;
}

inline void store_column(float* to, Column column, std::int32_t pixels) {
  if (pixels == kColumn) {
    __builtin_memcpy(to, &column, sizeof column);
    return;
  }
  for (std::int32_t i = 0; i < pixels; ++i) to[i] = column[i];
}

// The comparisons are false for NaN, which so stays.
inline Column activated_column(Column value, Act act) {
  if (act == Act::kNone) return value;
  value = value < 0.0f ? Column{} : value;
  return act == Act::kRelu6 ? (value > 6.0f ? Column{} + 6.0f : value) : value;
}

void columns(const ColumnsStep& step, const Share& share, const void* block, float* arena) {
  const std::int32_t* const sources = inside<std::int32_t>(block, step.sources);
  const std::int32_t size = step.places * kColumn;
  const std::int32_t end = share.end(step.in_channels);
  for (std::int32_t c = share.begin(step.in_channels); c < end; ++c) {
    spread_plane(arena + step.in + std::int64_t{c} * step.in_pixels, step.in_pixels, sources, size,
                 arena + step.columns + std::int64_t{c} * size);
  }
}

// Four sums, for each waits for its last addition.
void column_conv(const ColumnsStep& step, const Share& share, const void* block, float* arena) {
  const Filter* const filters = inside<Filter>(block, step.filters);
  const Tap* const taps = inside<Tap>(block, step.taps);
  const float* const in = arena + step.columns;
  const std::int32_t pixels = step.pixels;
  const Channels mine(share, step.out_channels);
  for (std::int32_t f = 0; f < step.filter_count; ++f) {
    const Filter& filter = filters[f];
    if (!mine.has(filter.channel)) continue;
    const std::int64_t at = std::int64_t{filter.channel} * pixels;
    float* const out = arena + step.out + at;
    Column sums[taps_at_once(1)] = {};
    if (filter.first == 0) {
      sums[0] = load_column(out, pixels);
    } else {
      sums[0] += filter.bias;
      if (step.residual >= 0) sums[1] = load_column(arena + step.residual + at, pixels);
    }
    const Tap* const end = taps + filter.taps + filter.count;
    for (const Tap* tap = taps + filter.taps; tap != end; tap += taps_at_once(1)) {
#pragma GCC unroll 4
      for (int s = 0; s < taps_at_once(1); ++s) {
        Column column;
        __builtin_memcpy(&column, in + tap[s].offset, sizeof column);
        sums[s] += tap[s].weight * column;
      }
    }
    Column sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    if (filter.last != 0) sum = activated_column(sum, step.act);
    store_column(out, sum, pixels);
  }
}
