// How many input channels all filters pass over before they go on to the next ones.
#include "runtime/pack/nearness.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "runtime/records.h"

namespace ticket::runtime {
namespace {

// Cycles, measured with AVX-512 on a Zen 4; with AVX2 their ratios are about the same.
constexpr double kFromL1 = 1.1;  // a multiply-add with a vector in L1
constexpr double kFromL2 = 2.0;   // with one in L2
constexpr double kSum = 4;     // a sum to memory and back
constexpr double kLoop = 20;   // to begin a loop over taps and to end it

// How much of the place of the input's bytes the weights take that pass through L1 beside them, by
// the bytes that a tap reads: little beside a large tile, most beside four floats.
constexpr double kWeights = 4 * sizeof(Tap);

// What a multiply-add costs when so many bytes are passed over: from seven eighths of L1 on, more
// and more of them come from L2.
double multiply_add_cycles(double bytes, double l1) {
  const double beyond = std::clamp((bytes / l1 - 0.875) / 3, 0.0, 1.0);
  return kFromL1 + (kFromL2 - kFromL1) * beyond;
}

std::int64_t evenly(std::int64_t channels, std::int64_t blocks) {
  return (channels + blocks - 1) / blocks;
}

}  // namespace

std::int64_t l1_bytes() {
  const long told = sysconf(_SC_LEVEL1_DCACHE_SIZE);
  return told > 0 ? std::clamp<std::int64_t>(told, 16 << 10, 256 << 10) : 32 << 10;
}

std::int64_t l2_bytes() {
  const long told = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return told > 0 ? std::clamp<std::int64_t>(told, 128 << 10, 4 << 20) : 512 << 10;
}

double taps_a_filter(const Op& op) {
  return static_cast<double>(op.weights.values.size()) / op.out_channels;
}

std::int64_t channels_at_once(const Op& op, const TileWork& tile) {
  const auto l1 = static_cast<double>(l1_bytes());
  const auto channels = static_cast<std::int64_t>(op.in_channels);
  const double taps = taps_a_filter(op);
  const double channel_bytes = tile.inputs * kVectorBytes + tile.inputs * kWeights / tile.sums;
  const double end_of_block = kLoop * tile.loops + kSum * tile.sums;
  std::int64_t best = channels;
  double least = 0;
  const std::int64_t most = std::min(channels, std::max<std::int64_t>(1, std::llround(taps)));
  for (std::int64_t blocks = 1; blocks <= most; ++blocks) {
    const std::int64_t at_once = evenly(channels, blocks);
    const double bytes = static_cast<double>(at_once) * channel_bytes;
    const double cycles = taps * std::max(1.0, tile.sums) * multiply_add_cycles(bytes, l1) +
                          end_of_block * static_cast<double>(blocks);
    if (blocks > 1 && cycles >= least) continue;
    least = cycles;
    best = at_once;
  }
  return best;
}

std::int64_t channels_moved_at_once(const Op& op, std::int64_t vectors) {
  // Nine moves end a block, which cost as much as this many taps gain.
  constexpr double kLeastTapsMoved = 190;
  const auto channels = static_cast<std::int64_t>(op.in_channels);
  const std::int64_t near =
      std::max<std::int64_t>(1, l1_bytes() / 4 * 3 / (vectors * kVectorBytes));
  const auto most =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(taps_a_filter(op) / kLeastTapsMoved));
  return evenly(channels, std::min(evenly(channels, near), most));
}

}  // namespace ticket::runtime
