// The interface of the vector kernels: raw pointers, no torch, no allocation, no exceptions.
#pragma once

#include <cstdint>
#include <cstring>

namespace ticket {

// A score as an integer that orders like the score: -0 and +0 are one key, NaN lies outside.
using Key = std::int32_t;
constexpr Key kMagnitudeBits = 0x7fffffff;
constexpr Key kInfinity = 0x7f800000;  // the key of +inf; -kInfinity is the key of -inf

// key = |bits| for the magnitude, else +-|bits|.  Integers, so that no rounding or
// flush-to-zero mode of the CPU can change which weight goes.
inline Key key_of(float score, bool absolute) {
  Key bits;
  std::memcpy(&bits, &score, sizeof bits);
  const Key magnitude = bits & kMagnitudeBits;
  return bits < 0 && !absolute ? -magnitude : magnitude;
}

inline bool is_nan(float score) { return key_of(score, true) > kInfinity; }

// The keys low..high, both included.
struct Range {
  Key low;
  Key high;
};

// Unsigned, because a range from -inf to +inf is wider than a Key.
inline std::uint32_t bucket_of(Key key, Range range, int shift) {
  return (static_cast<std::uint32_t>(key) - static_cast<std::uint32_t>(range.low)) >> shift;
}

// Counts over the kept positions; `below` and `inside` are relative to a Range.
struct Tally {
  std::int64_t kept = 0;
  std::int64_t below = 0;
  std::int64_t inside = 0;
  bool has_nan = false;
};

// A kept position whose fate the range alone does not decide.
struct Undecided {
  Key key;
  std::int64_t position;
};

// One instruction set's kernels.  A mask has one byte an element: 0 is pruned, 1 is kept.
// "Kept i" means mask[i] != 0; scores elsewhere are read but never looked at.
struct Kernels {
  const char* name;
  bool (*supported)();

  // Adds to *tally, and does ++histogram[bucket_of(key, range, shift)] for each kept key inside
  // the range unless histogram is null.  size <= 2^30.
  void (*tally)(const float* scores, const std::uint8_t* mask, std::int64_t size, bool absolute,
                Range range, int shift, std::int64_t* histogram, Tally* tally);

  // mask[i] = 0 for each kept key below the range; {key, first + i} of each kept key inside it
  // is appended to `undecided` in order.  Returns how many were appended.
  std::int64_t (*cut_below)(const float* scores, std::uint8_t* mask, std::int64_t size,
                            bool absolute, Range range, std::int64_t first, Undecided* undecided);

  // mask[i] = 0 for each kept key below `threshold` and for the first `ties` kept keys equal to
  // it.  Returns how many ties are left to clear.
  std::int64_t (*cut_ties)(const float* scores, std::uint8_t* mask, std::int64_t size,
                           bool absolute, Key threshold, std::int64_t ties);

  // values[i] = kept i ? values[i] : +0.0, whatever values[i] was.
  void (*hold)(float* values, const std::uint8_t* mask, std::int64_t size);

  // Bit i % 8 of bits[i / 8] = kept i; padding bits are 0.
  void (*pack)(const std::uint8_t* mask, std::int64_t size, std::uint8_t* bits);

  // mask[i] = bit i % 8 of bits[i / 8].
  void (*unpack)(const std::uint8_t* bits, std::int64_t size, std::uint8_t* mask);
};

extern const Kernels scalar;  // the reference: the others agree with it bit for bit
#if defined(__x86_64__)
extern const Kernels avx2;
extern const Kernels avx512;
#endif

// The kernels called `wanted`, the best supported ones if it is null or empty, and null if that
// name is unknown or this CPU cannot run it.
const Kernels* select_kernels(const char* wanted);

}  // namespace ticket
