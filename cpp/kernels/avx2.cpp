// The kernels for AVX2, 32 elements at a time; the tail is the scalar kernel's.
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels.h"

// A region and not a compiler flag: inline code of the headers above stays runnable everywhere.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,bmi,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,popcnt")
#endif

namespace ticket {
namespace {

constexpr std::int64_t kGroup = 32;  // one vector of mask bytes, four of scores

bool supported() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("popcnt");
}

inline __m256i load(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

inline void store(void* to, __m256i value) {
  _mm256_storeu_si256(static_cast<__m256i*>(to), value);
}

// Bit i of these words speaks of element i of the group.
inline std::uint32_t kept_in(const std::uint8_t* mask) {
  const __m256i pruned = _mm256_cmpeq_epi8(load(mask), _mm256_setzero_si256());
  return ~static_cast<std::uint32_t>(_mm256_movemask_epi8(pruned));
}

inline std::uint32_t bits_of(__m256i comparison, int part) {
  const int bits = _mm256_movemask_ps(_mm256_castsi256_ps(comparison));
  return static_cast<std::uint32_t>(bits) << (8 * part);
}

// byte i = 0xff where bit i is set, else 0.
inline __m256i bytes_of(std::uint32_t bits) {
  const __m256i source = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202,
                                            0x0303030303030303);
  const __m256i bit = _mm256_set1_epi64x(static_cast<std::int64_t>(0x8040201008040201ULL));
  const __m256i spread =
      _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<std::int32_t>(bits)), source);
  return _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
}

struct Keys {
  __m256i magnitude;
  __m256i key;
};

// key = (magnitude ^ s) - s, which negates where s = -1: at negative scores, unless absolute.
inline Keys keys_at(const float* scores, __m256i is_signed) {
  const __m256i bits = load(scores);
  const __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(kMagnitudeBits));
  const __m256i s = _mm256_and_si256(_mm256_srai_epi32(bits, 31), is_signed);
  return {magnitude, _mm256_sub_epi32(_mm256_xor_si256(magnitude, s), s)};
}

inline __m256i sign_switch(bool absolute) { return _mm256_set1_epi32(absolute ? 0 : -1); }

void tally(const float* scores, const std::uint8_t* mask, std::int64_t size, bool absolute,
           Range range, int shift, std::int64_t* histogram, Tally* tally) {
  const __m256i is_signed = sign_switch(absolute);
  const __m256i low = _mm256_set1_epi32(range.low);
  const __m256i high = _mm256_set1_epi32(range.high);
  const __m256i infinity = _mm256_set1_epi32(kInfinity);
  std::int64_t i = 0;
  for (; i + kGroup <= size; i += kGroup) {
    const std::uint32_t kept = kept_in(mask + i);
    std::uint32_t below = 0;
    std::uint32_t above = 0;
    std::uint32_t nans = 0;
    for (int part = 0; part < 4; ++part) {
      const Keys keys = keys_at(scores + i + 8 * part, is_signed);
      below |= bits_of(_mm256_cmpgt_epi32(low, keys.key), part);
      above |= bits_of(_mm256_cmpgt_epi32(keys.key, high), part);
      nans |= bits_of(_mm256_cmpgt_epi32(keys.magnitude, infinity), part);
    }
    std::uint32_t inside = kept & ~(below | above);
    tally->kept += __builtin_popcount(kept);
    tally->below += __builtin_popcount(kept & below);
    tally->inside += __builtin_popcount(inside);
    tally->has_nan |= (kept & nans) != 0;
    if (histogram == nullptr) continue;
    for (; inside != 0; inside &= inside - 1) {
      const Key key = key_of(scores[i + __builtin_ctz(inside)], absolute);
      ++histogram[bucket_of(key, range, shift)];
    }
  }
  scalar.tally(scores + i, mask + i, size - i, absolute, range, shift, histogram, tally);
}

std::int64_t cut_below(const float* scores, std::uint8_t* mask, std::int64_t size, bool absolute,
                       Range range, std::int64_t first, Undecided* undecided) {
  const __m256i is_signed = sign_switch(absolute);
  const __m256i low = _mm256_set1_epi32(range.low);
  const __m256i high = _mm256_set1_epi32(range.high);
  std::int64_t found = 0;
  std::int64_t i = 0;
  for (; i + kGroup <= size; i += kGroup) {
    std::uint32_t below = 0;
    std::uint32_t above = 0;
    for (int part = 0; part < 4; ++part) {
      const __m256i key = keys_at(scores + i + 8 * part, is_signed).key;
      below |= bits_of(_mm256_cmpgt_epi32(low, key), part);
      above |= bits_of(_mm256_cmpgt_epi32(key, high), part);
    }
    std::uint32_t inside = kept_in(mask + i) & ~(below | above);
    store(mask + i, _mm256_andnot_si256(bytes_of(below), load(mask + i)));
    for (; inside != 0; inside &= inside - 1) {
      const std::int64_t at = i + __builtin_ctz(inside);
      undecided[found++] = {key_of(scores[at], absolute), first + at};
    }
  }
  return found + scalar.cut_below(scores + i, mask + i, size - i, absolute, range, first + i,
                                  undecided + found);
}

std::int64_t cut_ties(const float* scores, std::uint8_t* mask, std::int64_t size, bool absolute,
                      Key threshold, std::int64_t ties) {
  const __m256i is_signed = sign_switch(absolute);
  const __m256i limit = _mm256_set1_epi32(threshold);
  std::int64_t i = 0;
  for (; i + kGroup <= size; i += kGroup) {
    std::uint32_t gone = 0;
    std::uint32_t tied = 0;
    for (int part = 0; part < 4; ++part) {
      const __m256i key = keys_at(scores + i + 8 * part, is_signed).key;
      gone |= bits_of(_mm256_cmpgt_epi32(limit, key), part);
      tied |= bits_of(_mm256_cmpeq_epi32(key, limit), part);
    }
    tied &= kept_in(mask + i);
    if (__builtin_popcount(tied) <= ties) {
      ties -= __builtin_popcount(tied);
      gone |= tied;
    } else {
      for (; ties > 0; --ties, tied &= tied - 1) gone |= tied & -tied;
    }
    store(mask + i, _mm256_andnot_si256(bytes_of(gone), load(mask + i)));
  }
  return scalar.cut_ties(scores + i, mask + i, size - i, absolute, threshold, ties);
}

void hold(float* values, const std::uint8_t* mask, std::int64_t size) {
  std::int64_t i = 0;
  for (; i + 8 <= size; i += 8) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(mask + i));
    const __m256i pruned = _mm256_cmpeq_epi32(_mm256_cvtepu8_epi32(bytes), _mm256_setzero_si256());
    store(values + i, _mm256_andnot_si256(pruned, load(values + i)));
  }
  scalar.hold(values + i, mask + i, size - i);
}

void pack(const std::uint8_t* mask, std::int64_t size, std::uint8_t* bits) {
  std::int64_t i = 0;
  for (; i + kGroup <= size; i += kGroup) {
    const std::uint32_t kept = kept_in(mask + i);
    std::memcpy(bits + i / 8, &kept, sizeof kept);
  }
  scalar.pack(mask + i, size - i, bits + i / 8);
}

void unpack(const std::uint8_t* bits, std::int64_t size, std::uint8_t* mask) {
  std::int64_t i = 0;
  for (; i + kGroup <= size; i += kGroup) {
    std::uint32_t kept;
    std::memcpy(&kept, bits + i / 8, sizeof kept);
    store(mask + i, _mm256_and_si256(bytes_of(kept), _mm256_set1_epi8(1)));
  }
  scalar.unpack(bits + i / 8, size - i, mask + i);
}

}  // namespace

const Kernels avx2{"avx2", supported, tally, cut_below, cut_ties, hold, pack, unpack};

}  // namespace ticket

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif  // x86-64
