// The executor's kernels for AVX2 and FMA: two registers hold the 16 lanes, a tile has 6 of them.
#if defined(__x86_64__)
#include <immintrin.h>

#include <array>
#include <cstddef>
#include <utility>

#include "runtime/lanes/lane_kernels.h"

// A region and not a compiler flag: inline code of the headers above stays runnable everywhere.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

namespace ticket::runtime {
namespace {

struct Lanes {
  __m256 low, high;
};

constexpr int kTile = 6;       // 12 of 16 registers
constexpr int kDenseTile = 1;  // with 4 channels 8 sums

constexpr Costs kCosts{/*vector=*/1.3,        /*tap=*/2.0,           /*filter=*/80,
                       /*filter_vector=*/9,   /*batch_vector=*/1.8,  /*batch_filter=*/24,
                       /*winograd=*/1.17,     /*winograd_enter=*/350, /*winograd_leave=*/160,
                       /*pass=*/60};

bool supported() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

inline Lanes load(const float* from) { return {_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)}; }

inline void store(float* to, Lanes lanes) {
  _mm256_storeu_ps(to, lanes.low);
  _mm256_storeu_ps(to + 8, lanes.high);
}

TICKET_ARITHMETIC Lanes same(float value) { return {_mm256_set1_ps(value), _mm256_set1_ps(value)}; }

TICKET_ARITHMETIC Lanes multiply_add(Lanes a, Lanes b, Lanes c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}

TICKET_ARITHMETIC Lanes plus(Lanes a, Lanes b) {
  return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}

TICKET_ARITHMETIC Lanes times(Lanes a, Lanes b) {
  return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}

// max and min give their second operand if one is NaN.
inline Lanes relu(Lanes a) {
  const __m256 zero = _mm256_setzero_ps();
  return {_mm256_max_ps(zero, a.low), _mm256_max_ps(zero, a.high)};
}

inline Lanes relu6(Lanes a) {
  const __m256 six = _mm256_set1_ps(6.0f);
  a = relu(a);
  return {_mm256_min_ps(six, a.low), _mm256_min_ps(six, a.high)};
}

inline __m256 larger_half(__m256 a, __m256 b) {
  return _mm256_blendv_ps(_mm256_max_ps(a, b), a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
}

inline Lanes larger(Lanes a, Lanes b) {
  return {larger_half(a.low, b.low), larger_half(a.high, b.high)};
}

inline Lanes masked(Lanes a, const std::int32_t* mask) {
  const Lanes bits = load(reinterpret_cast<const float*>(mask));
  return {_mm256_and_ps(a.low, bits.low), _mm256_and_ps(a.high, bits.high)};
}

inline __m256 left_half(__m256 a) {
  return _mm256_castsi256_ps(_mm256_slli_si256(_mm256_castps_si256(a), 4));
}

inline __m256 right_half(__m256 a) {
  return _mm256_castsi256_ps(_mm256_srli_si256(_mm256_castps_si256(a), 4));
}

// Lane 4 * by + bx gets what the block beside it has; a row of blocks is 128 bits.
inline Lanes from_left(Lanes a) { return {left_half(a.low), left_half(a.high)}; }
inline Lanes from_right(Lanes a) { return {right_half(a.low), right_half(a.high)}; }
inline Lanes from_above(Lanes a) {
  return {_mm256_permute2f128_ps(a.low, a.low, 0x08), _mm256_permute2f128_ps(a.low, a.high, 0x21)};
}
inline Lanes from_below(Lanes a) {
  return {_mm256_permute2f128_ps(a.low, a.high, 0x21),
          _mm256_permute2f128_ps(a.high, a.high, 0x81)};
}

inline float total(Lanes a) {
  const __m256 sum = _mm256_add_ps(a.low, a.high);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

#include "runtime/lanes/tile_body.inl"
#include "runtime/lanes/conv_body.inl"
#include "runtime/lanes/runs_body.inl"
#include "runtime/lanes/dense_body.inl"
#include "runtime/lanes/winograd_body.inl"
#include "runtime/lanes/image_body.inl"
#include "runtime/lanes/plain_body.inl"

constexpr int kHalf = 8;

// Eight rows' floats from a window of two registers: both are moved, and the place's bit of 8
// tells which counts.
TICKET_INLINE __m256 found_half(__m256 low, __m256 high, const std::uint8_t* places) {
  const auto* const eight = reinterpret_cast<const __m128i*>(places);
  const __m256i at = _mm256_cvtepu8_epi32(_mm_loadl_epi64(eight));
  return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, at), _mm256_permutevar8x32_ps(high, at),
                          _mm256_castsi256_ps(_mm256_slli_epi32(at, 28)));
}

// Four moves between lanes, about five cycles for sixteen taps.
TICKET_INLINE Lanes looked_up(const float* window, const std::uint8_t* places,
                              const float* weights, Lanes sums) {
  const __m256 low = _mm256_loadu_ps(window);
  const __m256i not_the_last = _mm256_setr_epi32(-1, -1, -1, -1, -1, -1, -1, 0);
  const __m256 high = _mm256_maskload_ps(window + kHalf, not_the_last);
  return multiply_add(load(weights), {found_half(low, high, places),
                                      found_half(low, high, places + kHalf)}, sums);
}

#include "runtime/lanes/lookup_body.inl"

// All bits in the elements of a vector that begins at x which lie before `length`.
inline __m256i before(std::int32_t length, std::int32_t x) {
  const __m256i number = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(length - x), number);
}

#include "runtime/lanes/spread_body.inl"

// A register holds a small plane.
inline void spread_plane(const float* plane, std::int32_t pixels, const std::int32_t* sources,
                         std::int32_t count, float* to) {
  if (pixels > kHalf) return spread_each(plane, sources, count, to);
  const __m256 all = _mm256_maskload_ps(plane, before(pixels, 0));
  for (std::int32_t i = 0; i < count; i += kHalf) {
    const bool whole = count - i >= kHalf;
    const auto* const from = reinterpret_cast<const __m128i*>(sources + i);
    const __m128i low = _mm_loadu_si128(from);
    const __m256i at = _mm256_set_m128i(whole ? _mm_loadu_si128(from + 1) : low, low);
    const __m256 padding = _mm256_castsi256_ps(_mm256_srai_epi32(at, 31));
    const __m256 values = _mm256_andnot_ps(padding, _mm256_permutevar8x32_ps(all, at));
    if (whole) {
      _mm256_storeu_ps(to + i, values);
    } else {
      _mm_storeu_ps(to + i, _mm256_castps256_ps128(values));
    }
  }
}

#include "runtime/lanes/columns_body.inl"

struct Square {
  __m256 rows[kHalf];
};

// Pairs of rows, then of pairs, then halves of registers.
inline Square transposed(const Square& in) {
  Square pairs, fours, out;
#pragma GCC unroll 8
  for (int i = 0; i < kHalf; i += 2) {
    pairs.rows[i] = _mm256_unpacklo_ps(in.rows[i], in.rows[i + 1]);
    pairs.rows[i + 1] = _mm256_unpackhi_ps(in.rows[i], in.rows[i + 1]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < kHalf; i += 4) {
    fours.rows[i] = _mm256_shuffle_ps(pairs.rows[i], pairs.rows[i + 2], 0x44);
    fours.rows[i + 1] = _mm256_shuffle_ps(pairs.rows[i], pairs.rows[i + 2], 0xee);
    fours.rows[i + 2] = _mm256_shuffle_ps(pairs.rows[i + 1], pairs.rows[i + 3], 0x44);
    fours.rows[i + 3] = _mm256_shuffle_ps(pairs.rows[i + 1], pairs.rows[i + 3], 0xee);
  }
#pragma GCC unroll 8
  for (int i = 0; i < kHalf / 2; ++i) {
    out.rows[i] = _mm256_permute2f128_ps(fours.rows[i], fours.rows[i + 4], 0x20);
    out.rows[i + 4] = _mm256_permute2f128_ps(fours.rows[i], fours.rows[i + 4], 0x31);
  }
  return out;
}

// Stores the first `count` elements, 8 at most; a masked store takes many times as long on AMD.
inline void store_first(float* to, __m256 value, std::int32_t count) {
  if (count >= kHalf) return _mm256_storeu_ps(to, value);
  if (count <= 0) return;
  __m128 rest = _mm256_castps256_ps128(value);
  if (count >= 4) {
    _mm_storeu_ps(to, rest);
    rest = _mm256_extractf128_ps(value, 1);
    to += 4;
    count -= 4;
  }
  if (count >= 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(to), rest);
    rest = _mm_movehl_ps(rest, rest);
    to += 2;
    count -= 2;
  }
  if (count == 1) _mm_store_ss(to, rest);
}

void interleave(const float* const* rows, const std::int32_t* lengths, std::int32_t count,
                float* vectors) {
  for (std::int32_t x = 0; x < count; x += kHalf) {
    for (int half = 0; half < kLanes; half += kHalf) {
      Square square;
      for (int i = 0; i < kHalf; ++i) {
        const int lane = half + i;
        square.rows[i] = lengths[lane] - x >= kHalf
                             ? _mm256_loadu_ps(rows[lane] + x)
                             : _mm256_maskload_ps(rows[lane] + x, before(lengths[lane], x));
      }
      square = transposed(square);
      for (std::int32_t i = 0; i < kHalf && x + i < count; ++i) {
        _mm256_storeu_ps(vectors + std::int64_t{x + i} * kLanes + half, square.rows[i]);
      }
    }
  }
}

void separate(const float* vectors, const std::int32_t* lengths, std::int32_t count,
              float* const* rows) {
  for (std::int32_t x = 0; x < count; x += kHalf) {
    for (int half = 0; half < kLanes; half += kHalf) {
      Square square;
      for (std::int32_t i = 0; i < kHalf; ++i) {
        square.rows[i] = x + i < count
                             ? _mm256_loadu_ps(vectors + std::int64_t{x + i} * kLanes + half)
                             : _mm256_setzero_ps();
      }
      square = transposed(square);
      for (int i = 0; i < kHalf; ++i) {
        const int lane = half + i;
        const std::int32_t length = lengths[lane] < count ? lengths[lane] : count;
        store_first(rows[lane] + x, square.rows[i], length - x);
      }
    }
  }
}

}  // namespace

const LaneKernels lanes_avx2{
    "avx2", supported, kCosts, kTile, kDenseTile,
    conv, border_conv, shift_conv, dense_conv,
    winograd_enter, winograd_leave, columns, column_conv,
    pool, mean_blocks, elementwise, plain_linear, plain_dense,
    {15, 5}, lookup, edges, interleave, separate,
};

}  // namespace ticket::runtime

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif  // x86-64
