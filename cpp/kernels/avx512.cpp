// The kernels for AVX-512 (F, BW, VL), 64 elements at a time; the tail is the scalar kernel's.
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels.h"

// A region and not a compiler flag: inline code of the headers above stays runnable everywhere.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,bmi,bmi2,popcnt"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,bmi,bmi2,popcnt")
#endif

namespace ticket {
namespace {

constexpr std::int64_t kGroup = 64;  // one vector of mask bytes, four of scores

bool supported() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}

inline __mmask64 kept_in(const std::uint8_t* mask) {
  const __m512i bytes = _mm512_loadu_si512(mask);
  return _mm512_test_epi8_mask(bytes, bytes);
}

struct Keys {
  __m512i magnitude;
  __m512i key;
};

// key = (magnitude ^ s) - s, which negates where s = -1: at negative scores, unless absolute.
inline Keys keys_at(const float* scores, __m512i is_signed) {
  const __m512i bits = _mm512_loadu_si512(scores);
  const __m512i magnitude = _mm512_and_si512(bits, _mm512_set1_epi32(kMagnitudeBits));
  const __m512i s = _mm512_and_si512(_mm512_srai_epi32(bits, 31), is_signed);
  return {magnitude, _mm512_sub_epi32(_mm512_xor_si512(magnitude, s), s)};
}

inline __m512i sign_switch(bool absolute) { return _mm512_set1_epi32(absolute ? 0 : -1); }

// Buckets wait here so that the counting into the histogram is a loop without surprises.
struct Waiting {
  static constexpr int kFull = 256;
  alignas(64) std::uint32_t buckets[kFull + kGroup];
  int size = 0;

  void count_into(std::int64_t* histogram) {
    for (int i = 0; i < size; ++i) ++histogram[buckets[i]];
    size = 0;
  }
};

template <bool kWithHistogram>
void tally_groups(const float* scores, const std::uint8_t* mask, std::int64_t size, bool absolute,
                  Range range, int shift, std::int64_t* histogram, Tally* tally) {
  const __m512i is_signed = sign_switch(absolute);
  const __m512i low = _mm512_set1_epi32(range.low);
  const __m512i width = _mm512_sub_epi32(_mm512_set1_epi32(range.high), low);
  const __m512i minus_one = _mm512_set1_epi32(-1);
  const __m128i shift_by = _mm_cvtsi32_si128(shift);
  __m512i below = _mm512_setzero_si512();
  __m512i largest = _mm512_setzero_si512();
  std::int64_t kept_count = 0;
  std::int64_t inside_count = 0;
  Waiting waiting;
  for (std::int64_t i = 0; i < size; i += kGroup) {
    const __mmask64 kept = kept_in(mask + i);
    kept_count += __builtin_popcountll(kept);
    for (int part = 0; part < 4; ++part) {
      const auto kept16 = static_cast<__mmask16>(kept >> (16 * part));
      const Keys keys = keys_at(scores + i + 16 * part, is_signed);
      // Unsigned, key - low is at most high - low exactly where low <= key <= high.
      const __m512i offset = _mm512_sub_epi32(keys.key, low);
      const __mmask16 is_inside = _mm512_mask_cmple_epu32_mask(kept16, offset, width);
      const __mmask16 is_below = _mm512_mask_cmplt_epi32_mask(kept16, keys.key, low);
      below = _mm512_mask_sub_epi32(below, is_below, below, minus_one);
      largest = _mm512_mask_max_epi32(largest, kept16, largest, keys.magnitude);
      const int found = __builtin_popcount(is_inside);
      inside_count += found;
      if (kWithHistogram) {
        const __m512i buckets = _mm512_srl_epi32(offset, shift_by);
        _mm512_storeu_si512(waiting.buckets + waiting.size,
                            _mm512_maskz_compress_epi32(is_inside, buckets));
        waiting.size += found;
      }
    }
    if (kWithHistogram && waiting.size >= Waiting::kFull) waiting.count_into(histogram);
  }
  if (kWithHistogram) waiting.count_into(histogram);
  tally->kept += kept_count;
  tally->below += _mm512_reduce_add_epi32(below);
  tally->inside += inside_count;
  tally->has_nan |= _mm512_reduce_max_epi32(largest) > kInfinity;
}

void tally(const float* scores, const std::uint8_t* mask, std::int64_t size, bool absolute,
           Range range, int shift, std::int64_t* histogram, Tally* tally) {
  const std::int64_t whole = size - size % kGroup;
  const auto groups = histogram != nullptr ? tally_groups<true> : tally_groups<false>;
  groups(scores, mask, whole, absolute, range, shift, histogram, tally);
  scalar.tally(scores + whole, mask + whole, size - whole, absolute, range, shift, histogram,
               tally);
}

std::int64_t cut_below(const float* scores, std::uint8_t* mask, std::int64_t size, bool absolute,
                       Range range, std::int64_t first, Undecided* undecided) {
  const __m512i is_signed = sign_switch(absolute);
  const __m512i low = _mm512_set1_epi32(range.low);
  const __m512i high = _mm512_set1_epi32(range.high);
  std::int64_t found = 0;
  std::int64_t i = 0;
  for (; i + kGroup <= size; i += kGroup) {
    const __mmask64 kept = kept_in(mask + i);
    __mmask64 below = 0;
    __mmask64 inside = 0;
    for (int part = 0; part < 4; ++part) {
      const __m512i key = keys_at(scores + i + 16 * part, is_signed).key;
      const __mmask16 is_below = _mm512_cmplt_epi32_mask(key, low);
      const __mmask16 is_above = _mm512_cmpgt_epi32_mask(key, high);
      below |= static_cast<__mmask64>(is_below) << (16 * part);
      inside |= static_cast<__mmask64>(_knot_mask16(_kor_mask16(is_below, is_above)))
                << (16 * part);
    }
    _mm512_storeu_si512(mask + i, _mm512_maskz_loadu_epi8(~below, mask + i));
    for (inside &= kept; inside != 0; inside &= inside - 1) {
      const std::int64_t at = i + __builtin_ctzll(inside);
      undecided[found++] = {key_of(scores[at], absolute), first + at};
    }
  }
  return found + scalar.cut_below(scores + i, mask + i, size - i, absolute, range, first + i,
                                  undecided + found);
}

std::int64_t cut_ties(const float* scores, std::uint8_t* mask, std::int64_t size, bool absolute,
                      Key threshold, std::int64_t ties) {
  const __m512i is_signed = sign_switch(absolute);
  const __m512i limit = _mm512_set1_epi32(threshold);
  std::int64_t i = 0;
  for (; i + kGroup <= size; i += kGroup) {
    __mmask64 gone = 0;
    __mmask64 tied = 0;
    for (int part = 0; part < 4; ++part) {
      const __m512i key = keys_at(scores + i + 16 * part, is_signed).key;
      gone |= static_cast<__mmask64>(_mm512_cmplt_epi32_mask(key, limit)) << (16 * part);
      tied |= static_cast<__mmask64>(_mm512_cmpeq_epi32_mask(key, limit)) << (16 * part);
    }
    tied &= kept_in(mask + i);
    const std::int64_t found = __builtin_popcountll(tied);
    // The first `ties` set bits of tied, when there are more.
    if (found > ties) tied = _pdep_u64((1ULL << ties) - 1, tied);
    ties -= found > ties ? ties : found;
    _mm512_storeu_si512(mask + i, _mm512_maskz_loadu_epi8(~(gone | tied), mask + i));
  }
  return scalar.cut_ties(scores + i, mask + i, size - i, absolute, threshold, ties);
}

void hold(float* values, const std::uint8_t* mask, std::int64_t size) {
  std::int64_t i = 0;
  for (; i + 16 <= size; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(mask + i));
    const __mmask16 kept = _mm_test_epi8_mask(bytes, bytes);
    _mm512_storeu_ps(values + i, _mm512_maskz_mov_ps(kept, _mm512_loadu_ps(values + i)));
  }
  scalar.hold(values + i, mask + i, size - i);
}

void pack(const std::uint8_t* mask, std::int64_t size, std::uint8_t* bits) {
  std::int64_t i = 0;
  for (; i + kGroup <= size; i += kGroup) {
    const std::uint64_t kept = kept_in(mask + i);
    std::memcpy(bits + i / 8, &kept, sizeof kept);
  }
  scalar.pack(mask + i, size - i, bits + i / 8);
}

void unpack(const std::uint8_t* bits, std::int64_t size, std::uint8_t* mask) {
  std::int64_t i = 0;
  for (; i + kGroup <= size; i += kGroup) {
    std::uint64_t kept;
    std::memcpy(&kept, bits + i / 8, sizeof kept);
    _mm512_storeu_si512(mask + i, _mm512_maskz_set1_epi8(kept, 1));
  }
  scalar.unpack(bits + i / 8, size - i, mask + i);
}

}  // namespace

const Kernels avx512{"avx512", supported, tally, cut_below, cut_ties, hold, pack, unpack};

}  // namespace ticket

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif  // x86-64
