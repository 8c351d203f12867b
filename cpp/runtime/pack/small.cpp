// Convolutions of small images, whose taps go by their place in the window.
#include "runtime/pack/small.h"

#include "runtime/pack/filters.h"
#include "runtime/pack/nearness.h"
#include "runtime/records.h"

namespace ticket::runtime {
namespace {

constexpr std::uint32_t kMostChannels = 7000;  // nine taps of each are counted in 16 bits
constexpr std::uint32_t kMostSide = 16;        // beyond, padding is under a twentieth

// 3 x 3, a pixel of padding all around, nothing special.
bool is_usual(const Op& op, const Shape& in, const Shape& out) {
  const Window& w = op.window;
  return op.code == Code::kConv && op.groups == 1 && !stores_dense(op) &&
         op.in_channels <= kMostChannels && w.kernel_h == 3 && w.kernel_w == 3 &&
         w.stride_h == 1 && w.stride_w == 1 && w.dilation_h == 1 && w.dilation_w == 1 &&
         w.pad_top == 1 && w.pad_left == 1 && in.height == out.height && in.width == out.width &&
         out.height > 1 && out.width > 1;
}

}  // namespace

std::int64_t border_tile(const Op& op, const Shape& in, const Shape& out, std::int64_t vectors) {
  if (!is_usual(op, in, out) || out.height > kMostSide || out.width > kMostSide) return 0;
  const bool large = vectors >= 16;
  if (large && out.height % 4 == 0 && out.width % 4 == 0) return 4;
  const bool even = out.height % 2 == 0 && out.width % 2 == 0;
  return even && (!large || out.height * out.width == 4) ? 2 : 0;
}

bool moves_sums(const Op& op, const Shape& in, const Shape& out, std::int64_t rows,
                std::int64_t cols, bool always) {
  // To move the sums costs as much as so many taps with the loads of a halo; as fewer where the
  // image and its halo, eight vectors for one, fill more than half of L2.
  constexpr double kLeastOne = 300, kLeastOneFar = 120, kLeastFour = 500;
  if (rows != cols || rows > 2 || !is_usual(op, in, out)) return false;
  constexpr std::int64_t kHaloedBytes = 9 * kLanes * sizeof(float);
  const bool far = op.in_channels * kHaloedBytes > l2_bytes() / 2;
  const double least = rows > 1 ? kLeastFour : far ? kLeastOneFar : kLeastOne;
  return always || taps_a_filter(op) >= least;
}

}  // namespace ticket::runtime
