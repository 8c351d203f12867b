// The sums of a tile, for any Lanes: how they begin, what a tap adds to them, how they end.
// Included by each set's file inside its target region, before the convolutions that use them.

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

// The next row of a tile, its address in a register of its own: the compiler would else keep a
// distance or an address for each vector, in memory once registers run out.
template <typename Float>
TICKET_INLINE Float* next_row(Float* at, std::int64_t row) {
  at += row;
  asm volatile("" : "+r"(at));
  return at;
}

// How far from a tile's first vector the part of the image's halo lies that its own vectors make:
// left of the image where it has the last column, right of it with the first one, under it with the
// first row, over it with the last one.  0 where it has not.
struct Rim {
  std::int64_t left = 0, right = 0, under = 0, over = 0;
};

// Where the filters of one tile work; all but `in` for channel 0.
struct Spot {
  const float* in;
  std::int64_t in_row;
  float* out;
  const float* residual;
  bool is_cut;
  bool has_rim, is_whole;  // is_whole: the tile is all of the image
  Rim rim;
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

// The sums of as many taps that are added at once: a sum waits for its last addition, so few need
// company to keep the CPU busy.
template <int kSize>
struct SplitSums {
  static constexpr int kSplit = sums_at_once(kSize, kTile);
  Sums<kSize> part[kSplit];

  TICKET_INLINE explicit SplitSums(const Sums<kSize>& first) {
    part[0] = first;
#pragma GCC unroll 4
    for (int s = 1; s < kSplit; ++s) part[s] = no_sums<kSize>();
  }

  TICKET_INLINE Sums<kSize> all() {
#pragma GCC unroll 4
    for (int s = 1; s < kSplit; ++s) {
#pragma GCC unroll 16
      for (int i = 0; i < kSize; ++i) part[0].of[i] = plus(part[0].of[i], part[s].of[i]);
    }
    return part[0];
  }
};

// What a filter's sums begin with: bias and residual, or what the block of channels before made.
template <int kRows, int kCols>
TICKET_INLINE Sums<kRows * kCols> begin_sums(const Strides& strides, const Filter& filter,
                                             const Spot& spot) {
  constexpr int kSize = kRows * kCols;
  Sums<kSize> sums;
  if (filter.first == 0) {
    const float* out = spot.out + filter.channel * strides.out_plane;
#pragma GCC unroll 16
    for (int i = 0; i < kSize; ++i) {
      if (i > 0 && i % kCols == 0) out = next_row(out, strides.out_row);
      sums.of[i] = load(out + (i % kCols) * kLanes);
    }
    return sums;
  }
  const Lanes bias = same(filter.bias);
#pragma GCC unroll 16
  for (int i = 0; i < kSize; ++i) sums.of[i] = bias;
  if (strides.has_residual) {
    const float* residual = spot.residual + filter.channel * strides.residual_plane;
#pragma GCC unroll 16
    for (int i = 0; i < kSize; ++i) {
      if (i > 0 && i % kCols == 0) residual = next_row(residual, strides.residual_row);
      sums.of[i] = plus(sums.of[i], load(residual + (i % kCols) * kLanes));
    }
  }
  return sums;
}

// Brings near what this filter's sums will begin with: they would wait for L2.
template <int kRows, int kCols>
TICKET_INLINE void fetch_residual(const Strides& strides, const Filter& filter, const Spot& spot) {
  if (!strides.has_residual || filter.first == 0) return;
  const float* residual = spot.residual + filter.channel * strides.residual_plane;
#pragma GCC unroll 16
  for (int i = 0; i < kRows * kCols; ++i) {
    if (i > 0 && i % kCols == 0) residual = next_row(residual, strides.residual_row);
    __builtin_prefetch(residual + (i % kCols) * kLanes);
  }
}

// A row of the halo over or under the image, and what the tile makes beside it.
template <int kCols, bool kWhole, Lanes (*kMoved)(Lanes)>
TICKET_INLINE void write_rim_row(const Rim& rim, const Lanes* row, float* at) {
  if (kWhole || rim.left != 0) store(at + rim.left, kMoved(from_left(row[kCols - 1])));
#pragma GCC unroll 16
  for (int i = 0; i < kCols; ++i) store(at + i * kLanes, kMoved(row[i]));
  if (kWhole || rim.right != 0) store(at + rim.right, kMoved(from_right(row[0])));
}

// The tile's part of the halo, from registers: stored and read again, a vector takes 3.5 cycles
// and not 2 or 2.5 (Zen 3).  kWhole: the tile makes all four sides.
template <int kRows, int kCols, bool kWhole>
TICKET_INLINE void write_rim(const Rim& rim, std::int64_t row, const Sums<kRows * kCols>& sums,
                             float* at) {
  if (kWhole || rim.over != 0) {
    write_rim_row<kCols, kWhole, from_above>(rim, sums.of + (kRows - 1) * kCols, at + rim.over);
  }
  if (kWhole || rim.left != 0) {
    float* left = at + rim.left;
#pragma GCC unroll 4
    for (int y = 0; y < kRows; ++y) {
      if (y > 0) left = next_row(left, row);
      store(left, from_left(sums.of[y * kCols + kCols - 1]));
    }
  }
  if (kWhole || rim.right != 0) {
    float* right = at + rim.right;
#pragma GCC unroll 4
    for (int y = 0; y < kRows; ++y) {
      if (y > 0) right = next_row(right, row);
      store(right, from_right(sums.of[y * kCols]));
    }
  }
  if (kWhole || rim.under != 0) {
    write_rim_row<kCols, kWhole, from_below>(rim, sums.of, at + rim.under);
  }
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
  float* out = spot.out + filter.channel * strides.out_plane;
#pragma GCC unroll 16
  for (int i = 0; i < kSize; ++i) {
    if (i > 0 && i % kCols == 0) out = next_row(out, strides.out_row);
    store(out + (i % kCols) * kLanes, sums.of[i]);
  }
  if (filter.last == 0 || !spot.has_rim) return;
  float* const first = spot.out + filter.channel * strides.out_plane;
  if constexpr (kSize <= 4) {  // most images of one tile; larger ones pay for a few branches
    if (spot.is_whole) return write_rim<kRows, kCols, true>(spot.rim, strides.out_row, sums, first);
  }
  write_rim<kRows, kCols, false>(spot.rim, strides.out_row, sums, first);
}

// Adds one tap's products to the rows kTop.. of a tile.
template <int kRows, int kCols, int kStep, int kTop = 0, int kBottom = kRows>
TICKET_INLINE void add_tap(Walk& walk, std::int64_t in_row, Sums<kRows * kCols>& sums) {
  const Lanes weight = same(walk.tap->weight);
  const float* at = next_tap(walk) + kTop * in_row;
#pragma GCC unroll 4
  for (int row = kTop; row < kBottom; ++row) {
    if (row > kTop) at = next_row(at, in_row);
#pragma GCC unroll 16
    for (int i = row * kCols; i < (row + 1) * kCols; ++i) {
      sums.of[i] = multiply_add(weight, load(at + (i % kCols) * kStep * kLanes), sums.of[i]);
    }
  }
}
