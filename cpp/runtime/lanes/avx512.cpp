// The executor's kernels for AVX-512: one register holds the 16 lanes, a tile has 16 of them.
#if defined(__x86_64__)
#include <immintrin.h>

#include <array>
#include <cstddef>
#include <utility>

#include "runtime/lanes/lane_kernels.h"

// A region and not a compiler flag: inline code of the headers above stays runnable everywhere.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,fma")
#endif

namespace ticket::runtime {
namespace {

using Lanes = __m512;

constexpr int kTile = 16;
constexpr int kDenseTile = 6;  // with 4 channels 24 sums, 6 inputs and a weight: 31 of 32

bool supported() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("fma");
}

inline Lanes load(const float* from) { return _mm512_loadu_ps(from); }
inline void store(float* to, Lanes lanes) { _mm512_storeu_ps(to, lanes); }
TICKET_ARITHMETIC Lanes same(float value) { return _mm512_set1_ps(value); }
TICKET_ARITHMETIC Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return _mm512_fmadd_ps(a, b, c); }
TICKET_ARITHMETIC Lanes plus(Lanes a, Lanes b) { return _mm512_add_ps(a, b); }
TICKET_ARITHMETIC Lanes times(Lanes a, Lanes b) { return _mm512_mul_ps(a, b); }

// max and min give their second operand if one is NaN.
inline Lanes relu(Lanes a) { return _mm512_max_ps(_mm512_setzero_ps(), a); }
inline Lanes relu6(Lanes a) { return _mm512_min_ps(same(6.0f), relu(a)); }

inline Lanes larger(Lanes a, Lanes b) {
  const __mmask16 stays = _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
  return _mm512_mask_mov_ps(_mm512_max_ps(a, b), stays, a);
}

inline Lanes masked(Lanes a, const std::int32_t* mask) {
  return _mm512_castsi512_ps(_mm512_and_epi32(_mm512_castps_si512(a), _mm512_loadu_si512(mask)));
}

// Lane 4 * by + bx gets what the block beside it has; a row of blocks is 128 bits.
inline Lanes from_left(Lanes a) {
  return _mm512_castsi512_ps(_mm512_bslli_epi128(_mm512_castps_si512(a), 4));
}
inline Lanes from_right(Lanes a) {
  return _mm512_castsi512_ps(_mm512_bsrli_epi128(_mm512_castps_si512(a), 4));
}
inline Lanes from_above(Lanes a) {
  const __m512i zero = _mm512_setzero_si512();
  return _mm512_castsi512_ps(_mm512_alignr_epi32(_mm512_castps_si512(a), zero, 12));
}
inline Lanes from_below(Lanes a) {
  const __m512i zero = _mm512_setzero_si512();
  return _mm512_castsi512_ps(_mm512_alignr_epi32(zero, _mm512_castps_si512(a), 4));
}

inline float total(Lanes a) { return _mm512_reduce_add_ps(a); }

#include "runtime/lanes/tile_body.inl"
#include "runtime/lanes/conv_body.inl"
#include "runtime/lanes/runs_body.inl"
#include "runtime/lanes/dense_body.inl"
#include "runtime/lanes/winograd_body.inl"
#include "runtime/lanes/image_body.inl"
#include "runtime/lanes/plain_body.inl"

// Two moves between lanes: with the loads two and a half cycles for sixteen taps, where one by one
// they would take sixteen.
TICKET_INLINE Lanes looked_up(const float* window, const std::uint8_t* places,
                              const float* weights, Lanes sums) {
  constexpr __mmask16 kNotTheLast = 0x7fff;
  const __m512i at = _mm512_cvtepu8_epi32(_mm_loadu_si128(
      reinterpret_cast<const __m128i*>(places)));
  const Lanes found = _mm512_permutex2var_ps(
      load(window), at, _mm512_maskz_loadu_ps(kNotTheLast, window + kLanes));
  return multiply_add(load(weights), found, sums);
}

#include "runtime/lanes/lookup_body.inl"

// The lanes first..first + 15 that lie before `length`.
inline __mmask16 lanes_before(std::int32_t length, std::int32_t first) {
  const std::int32_t left = length - first;
  return static_cast<__mmask16>(left >= kLanes ? 0xffff : left <= 0 ? 0 : (1 << left) - 1);
}

#include "runtime/lanes/spread_body.inl"

// A register holds a small plane.
inline void spread_plane(const float* plane, std::int32_t pixels, const std::int32_t* sources,
                         std::int32_t count, float* to) {
  if (pixels > kLanes) return spread_each(plane, sources, count, to);
  const __m512 all = _mm512_maskz_loadu_ps(lanes_before(pixels, 0), plane);
  for (std::int32_t i = 0; i < count; i += kLanes) {
    const __mmask16 wanted = lanes_before(count, i);
    const __m512i at = _mm512_maskz_loadu_epi32(wanted, sources + i);
    const __mmask16 inside =
        _mm512_mask_cmpge_epi32_mask(wanted, at, _mm512_setzero_si512());
    _mm512_mask_storeu_ps(to + i, wanted, _mm512_maskz_permutexvar_ps(inside, at, all));
  }
}

#include "runtime/lanes/columns_body.inl"

struct Square {
  __m512 rows[kLanes];
};

// Four steps of exchanging: single floats, pairs, and twice groups of four.
inline Square transposed(const Square& a) {
  Square b;
  Square c;
  for (int i = 0; i < kLanes; i += 2) {
    b.rows[i] = _mm512_unpacklo_ps(a.rows[i], a.rows[i + 1]);
    b.rows[i + 1] = _mm512_unpackhi_ps(a.rows[i], a.rows[i + 1]);
  }
  for (int i = 0; i < kLanes; i += 4) {  // c.rows[i + k]: columns k, k + 4, ... of four rows
    for (int k = 0; k < 2; ++k) {
      const __m512d low = _mm512_castps_pd(b.rows[i + k]);
      const __m512d high = _mm512_castps_pd(b.rows[i + k + 2]);
      c.rows[i + 2 * k] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
      c.rows[i + 2 * k + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
    }
  }
  for (int k = 0; k < 4; ++k) {
    const __m512 low02 = _mm512_shuffle_f32x4(c.rows[k], c.rows[4 + k], 0x88);
    const __m512 low13 = _mm512_shuffle_f32x4(c.rows[k], c.rows[4 + k], 0xdd);
    const __m512 high02 = _mm512_shuffle_f32x4(c.rows[8 + k], c.rows[12 + k], 0x88);
    const __m512 high13 = _mm512_shuffle_f32x4(c.rows[8 + k], c.rows[12 + k], 0xdd);
    b.rows[k] = _mm512_shuffle_f32x4(low02, high02, 0x88);
    b.rows[4 + k] = _mm512_shuffle_f32x4(low13, high13, 0x88);
    b.rows[8 + k] = _mm512_shuffle_f32x4(low02, high02, 0xdd);
    b.rows[12 + k] = _mm512_shuffle_f32x4(low13, high13, 0xdd);
  }
  return b;
}

void interleave(const float* const* rows, const std::int32_t* lengths, std::int32_t count,
                float* vectors) {
  for (std::int32_t x = 0; x < count; x += kLanes) {
    Square square;
    for (int lane = 0; lane < kLanes; ++lane) {
      square.rows[lane] =
          _mm512_maskz_loadu_ps(lanes_before(lengths[lane], x), rows[lane] + x);
    }
    square = transposed(square);
    for (std::int32_t i = 0; i < kLanes && x + i < count; ++i) {
      store(vectors + std::int64_t{x + i} * kLanes, square.rows[i]);
    }
  }
}

void separate(const float* vectors, const std::int32_t* lengths, std::int32_t count,
              float* const* rows) {
  for (std::int32_t x = 0; x < count; x += kLanes) {
    Square square;
    for (std::int32_t i = 0; i < kLanes; ++i) {
      square.rows[i] = x + i < count ? load(vectors + std::int64_t{x + i} * kLanes)
                                     : _mm512_setzero_ps();
    }
    square = transposed(square);
    for (int lane = 0; lane < kLanes; ++lane) {
      const std::int32_t length = lengths[lane] < count ? lengths[lane] : count;
      _mm512_mask_storeu_ps(rows[lane] + x, lanes_before(length, x), square.rows[lane]);
    }
  }
}

}  // namespace

const LaneKernels lanes_avx512{
    "avx512", supported, Costs{}, kTile, kDenseTile,
    conv, border_conv, shift_conv, dense_conv,
    winograd_enter, winograd_leave, columns, column_conv,
    pool, mean_blocks, elementwise, plain_linear, plain_dense,
    {31, 3}, lookup, edges, interleave, separate,
};

}  // namespace ticket::runtime

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif  // x86-64
