// Sparse 3 x 3 convolutions of small images, for any Lanes: included by each set's file inside
// its target region.
//
// A filter's taps come in nine runs, one for each place in the window, so that what depends on
// the place is known outside the loops: which rows of a tile read padding (border_conv), and whose
// neighbour a sum is (shift_conv).
//
// border_conv leaves out rows and not columns, too: the CPU does not foresee where a run ends, and
// nine runs of a few taps cost more than the products with zeros that they save (Emerald Rapids,
// 4 x 4 pixels, 25 taps: 440 cycles by rows and columns, 370 with neither, 300 by rows).

constexpr int kPad = 1;
constexpr int kSide = 3;  // of the window

// Adds the products of the taps before `end` to the rows kTop.. of a tile.
template <int kRows, int kCols, int kTop, int kBottom>
TICKET_INLINE void add_run(Walk& walk, const Tap* end, const Spot& spot,
                           SplitSums<kRows * kCols>& sums) {
  constexpr int kAtOnce = taps_at_once(kRows * kCols);
  while (walk.tap != end) {
#pragma GCC unroll 4
    for (int s = 0; s < kAtOnce; ++s) {
      add_tap<kRows, kCols, 1, kTop, kBottom>(walk, spot.in_row,
                                              sums.part[s % SplitSums<kRows * kCols>::kSplit]);
    }
  }
}

template <int kRows, int kCols, bool kTop, bool kBottom>
TICKET_INLINE void border_tile(const Strides& strides, const Filter& filter, const Runs& runs,
                               const Tap* taps, const Spot& spot) {
  SplitSums<kRows * kCols> sums(begin_sums<kRows, kCols>(strides, filter, spot));
  const Tap* const begin = taps + filter.taps;
  Walk walk(begin, spot.in);
  if constexpr (kTop) {
    add_run<kRows, kCols, kPad, kRows>(walk, begin + runs.ends[kSide - 1], spot, sums);
  }
  if constexpr (kBottom) {
    add_run<kRows, kCols, 0, kRows>(walk, begin + runs.ends[2 * kSide - 1], spot, sums);
  }
  constexpr int kEnd = kBottom ? kRows - kPad : kRows;
  add_run<kRows, kCols, 0, kEnd>(walk, begin + filter.count, spot, sums);
  end_sums<kRows, kCols>(strides, filter, spot, sums.all());
}

template <int kRows, int kCols, bool kTop, bool kBottom>
void border_filters(const ConvStep& step, const Share& share, const void* block, float* arena,
                    std::int32_t y, std::int32_t x) {
  const Filter* const filters = inside<Filter>(block, step.filters);
  const Runs* const runs = inside<Runs>(block, step.runs);
  const Tap* const taps = inside<Tap>(block, step.taps);
  const Strides strides = strides_of(step);
  const Spot spot = spot_at<kRows, kCols>(step, arena, y, x);
  const Channels mine(share, step.out_channels);
  for (std::int32_t f = 0; f < step.filter_count; ++f) {
    if (!mine.has(filters[f].channel)) continue;
    border_tile<kRows, kCols, kTop, kBottom>(strides, filters[f], runs[f], taps, spot);
  }
}

// Tiles of one size cover the image; the rows of zeros above and below it are never read.
template <int kRows, int kCols>
void border_tiles(const ConvStep& step, const Share& share, const void* block, float* arena) {
  const Region& region = step.regions[0];
  for (std::int32_t down = 0; down < region.tiles_down; ++down) {
    const bool top = down == 0;
    const bool bottom = down + 1 == region.tiles_down;
    for (std::int32_t across = 0; across < region.tiles_across; ++across) {
      const std::int32_t y = down * kRows;
      const std::int32_t x = across * kCols;
      if (top && bottom) {
        border_filters<kRows, kCols, true, true>(step, share, block, arena, y, x);
      } else if (top) {
        border_filters<kRows, kCols, true, false>(step, share, block, arena, y, x);
      } else if (bottom) {
        border_filters<kRows, kCols, false, true>(step, share, block, arena, y, x);
      } else {
        border_filters<kRows, kCols, false, false>(step, share, block, arena, y, x);
      }
    }
  }
}

void border_conv(const ConvStep& step, const Share& share, const void* block, float* arena) {
  if constexpr (kTile >= 16) {
    if (step.regions[0].tile_rows == 4) return border_tiles<4, 4>(step, share, block, arena);
  }
  border_tiles<2, 2>(step, share, block, arena);
}

// Lane by lane, what lies kDown rows and kRight columns of blocks away; zero outside the image.
template <int kDown, int kRight>
TICKET_INLINE Lanes moved(Lanes a) {
  if constexpr (kDown < 0) a = from_above(a);
  if constexpr (kDown > 0) a = from_below(a);
  if constexpr (kRight < 0) a = from_left(a);
  if constexpr (kRight > 0) a = from_right(a);
  return a;
}

// Which block beside its own the pixel at - 1, at or at + 1 of a block of `size` lies in.
constexpr int beside(int at, int size) { return at < 0 ? -1 : at >= size ? 1 : 0; }
constexpr int wrapped(int at, int size) { return (at + size) % size; }

// The products of one run, summed up where the input lies, go to where the output lies.
template <int kRows, int kCols, int kY, int kX, std::size_t... kOut>
TICKET_INLINE void move_sums(const Sums<kRows * kCols>& part, Sums<kRows * kCols>& sums,
                             std::index_sequence<kOut...>) {
  ((sums.of[kOut] =
        plus(sums.of[kOut],
             moved<beside(static_cast<int>(kOut) / kCols + kY, kRows),
                   beside(static_cast<int>(kOut) % kCols + kX, kCols)>(
                 part.of[wrapped(static_cast<int>(kOut) / kCols + kY, kRows) * kCols +
                         wrapped(static_cast<int>(kOut) % kCols + kX, kCols)]))),
   ...);
}

template <int kRows, int kCols, int kPlace>
TICKET_INLINE void shift_run(Walk& walk, const Tap* end, const Spot& spot,
                             Sums<kRows * kCols>& sums) {
  if (walk.tap == end) return;
  SplitSums<kRows * kCols> part(no_sums<kRows * kCols>());
  add_run<kRows, kCols, 0, kRows>(walk, end, spot, part);
  move_sums<kRows, kCols, kPlace / kSide - kPad, kPlace % kSide - kPad>(
      part.all(), sums, std::make_index_sequence<kRows * kCols>{});
}

template <int kRows, int kCols, std::size_t... kPlaces>
TICKET_INLINE void shift_runs(const Tap* begin, const Runs& runs, const Spot& spot,
                              Sums<kRows * kCols>& sums, std::index_sequence<kPlaces...>) {
  Walk walk(begin, spot.in);
  (shift_run<kRows, kCols, static_cast<int>(kPlaces)>(walk, begin + runs.ends[kPlaces], spot, sums),
   ...);
}

// One image in blocks of kRows x kCols: a run reads the blocks themselves, and its sum is moved to
// the pixels beside.  So the input has no halo, and a channel takes a vector instead of nine.
template <int kRows, int kCols>
void shift_filters(const ConvStep& step, const Share& share, const void* block, float* arena) {
  const Filter* const filters = inside<Filter>(block, step.filters);
  const Runs* const runs = inside<Runs>(block, step.runs);
  const Tap* const taps = inside<Tap>(block, step.taps);
  const Strides strides = strides_of(step);
  const Spot spot = spot_at<kRows, kCols>(step, arena, 0, 0);
  const Channels mine(share, step.out_channels);
  for (std::int32_t f = 0; f < step.filter_count; ++f) {
    const Filter& filter = filters[f];
    if (!mine.has(filter.channel)) continue;
    Sums<kRows * kCols> sums = begin_sums<kRows, kCols>(strides, filter, spot);
    shift_runs<kRows, kCols>(taps + filter.taps, runs[f], spot, sums,
                             std::make_index_sequence<kRuns>{});
    end_sums<kRows, kCols>(strides, filter, spot, sums);
  }
  if (step.edges_at_tile == 0) {
    edges_of_share(step.edges, step.out, step.out_channels, share, arena);
  }
}

void shift_conv(const ConvStep& step, const Share& share, const void* block, float* arena) {
  if (step.regions[0].tile_rows == 2) return shift_filters<2, 2>(step, share, block, arena);
  shift_filters<1, 1>(step, share, block, arena);
}
