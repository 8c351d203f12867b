// The kernels in plain C++: the reference, the tail of the vector kernels, and all there is on
// CPUs other than x86-64.
#include "kernels.h"

namespace ticket {
namespace {

bool supported() { return true; }

// The loops add up comparisons instead of branching on them: which way a random score goes
// cannot be predicted.

void tally(const float* scores, const std::uint8_t* mask, std::int64_t size, bool absolute,
           Range range, int shift, std::int64_t* histogram, Tally* tally) {
  Tally sum = *tally;
  for (std::int64_t i = 0; i < size; ++i) {
    const bool kept = mask[i] != 0;
    const Key key = key_of(scores[i], absolute);
    const bool inside = kept & (key >= range.low) & (key <= range.high);
    sum.kept += kept;
    sum.below += kept & (key < range.low);
    sum.inside += inside;
    sum.has_nan |= kept & is_nan(scores[i]);
    if (inside && histogram != nullptr) ++histogram[bucket_of(key, range, shift)];
  }
  *tally = sum;
}

std::int64_t cut_below(const float* scores, std::uint8_t* mask, std::int64_t size, bool absolute,
                       Range range, std::int64_t first, Undecided* undecided) {
  std::int64_t found = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    const bool kept = mask[i] != 0;
    const Key key = key_of(scores[i], absolute);
    mask[i] = key < range.low ? std::uint8_t{0} : mask[i];
    if (kept & (key >= range.low) & (key <= range.high)) undecided[found++] = {key, first + i};
  }
  return found;
}

std::int64_t cut_ties(const float* scores, std::uint8_t* mask, std::int64_t size, bool absolute,
                      Key threshold, std::int64_t ties) {
  for (std::int64_t i = 0; i < size; ++i) {
    const Key key = key_of(scores[i], absolute);
    const bool tied = (mask[i] != 0) & (key == threshold) & (ties > 0);
    mask[i] = (key < threshold) | tied ? std::uint8_t{0} : mask[i];
    ties -= tied;
  }
  return ties;
}

void hold(float* values, const std::uint8_t* mask, std::int64_t size) {
  for (std::int64_t i = 0; i < size; ++i) values[i] = mask[i] != 0 ? values[i] : 0.0F;
}

void pack(const std::uint8_t* mask, std::int64_t size, std::uint8_t* bits) {
  for (std::int64_t first = 0; first < size; first += 8) {
    unsigned byte = 0;
    for (std::int64_t i = first; i < size && i < first + 8; ++i) {
      byte |= static_cast<unsigned>(mask[i] != 0) << (i - first);
    }
    bits[first / 8] = static_cast<std::uint8_t>(byte);
  }
}

void unpack(const std::uint8_t* bits, std::int64_t size, std::uint8_t* mask) {
  for (std::int64_t i = 0; i < size; ++i) {
    mask[i] = static_cast<std::uint8_t>((bits[i / 8] >> (i % 8)) & 1U);
  }
}

}  // namespace

const Kernels scalar{"scalar", supported, tally, cut_below, cut_ties, hold, pack, unpack};

}  // namespace ticket
