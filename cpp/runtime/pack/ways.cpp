// Which way a convolution goes.
#include "runtime/pack/ways.h"

#include <algorithm>

#include "runtime/pack/nearness.h"
#include "runtime/pack/winograd.h"

namespace ticket::runtime {
namespace {

// 3 x 3 without strides or groups: nothing special.
bool is_usual(const Op& op) {
  const Window& w = op.window;
  return op.code == Code::kConv && op.groups == 1 && w.kernel_h == 3 && w.kernel_w == 3 &&
         w.stride_h == 1 && w.stride_w == 1 && w.dilation_h == 1 && w.dilation_w == 1;
}

// Whether the products at the points take less time than those with the taps.
bool takes_winograd(const Op& op, const Shape& out, const Field& field, const Costs& costs) {
  const Window& w = op.window;
  const bool fits = is_usual(op) &&
                    std::max({w.pad_top, w.pad_left, w.pad_bottom, w.pad_right}) <= 1 &&
                    out.height >= kWinogradTile && out.width >= kWinogradTile &&
                    field.rows % kWinogradTile == 0 && field.cols % kWinogradTile == 0;
  const auto taps = static_cast<double>(op.weights.values.size());
  return fits && winograd_cycles(op, costs) < taps * costs.vector;
}

// Whether taps may go by their place in the window: a pixel of padding all around.
bool knows_places(const Op& op, const Shape& in, const Shape& out) {
  constexpr std::uint32_t kMostChannels = 7000;  // nine taps of each are counted in 16 bits
  return is_usual(op) && op.in_channels <= kMostChannels && op.window.pad_top == 1 &&
         op.window.pad_left == 1 && in.height == out.height && in.width == out.width &&
         out.height > 1 && out.width > 1;
}

// To move the sums costs as much as so many taps with the loads of a halo; as fewer where the
// image and its halo, eight vectors for one, fill more than half of L2.
bool moving_pays(const Op& op, std::int64_t rows) {
  constexpr double kLeastOne = 300, kLeastOneFar = 120, kLeastFour = 500;
  constexpr std::int64_t kHaloedBytes = 9 * kLanes * sizeof(float);
  const bool far = op.in_channels * kHaloedBytes > l2_bytes() / 2;
  return taps_a_filter(op) >= (rows > 1 ? kLeastFour : far ? kLeastOneFar : kLeastOne);
}

std::int64_t blocks_of(std::uint32_t size) { return (size + kBlocks - 1) / kBlocks; }

}  // namespace

Field batch_field(const Shape& out) { return {Layout::kBatch, out.height, out.width}; }

Field blocks_field(const Shape& out) {
  return {Layout::kBlocks, blocks_of(out.height), blocks_of(out.width)};
}

Way Ways::of(const Op& op, const Shape& in, const Shape& out, const Field& field) const {
  if (takes_winograd(op, out, field, costs)) return Way::kWinograd;
  if (stores_dense(op)) return Way::kDense;
  if (!knows_places(op, in, out)) return Way::kTaps;
  if (field.layout == Layout::kBatch) return border_tile(out) > 0 ? Way::kBorders : Way::kTaps;
  const bool can_move = moves != Moves::kNever && field.rows == field.cols && field.rows <= 2;
  const bool pays = moves == Moves::kAlways || moving_pays(op, field.rows);
  return can_move && pays ? Way::kMovedSums : Way::kTaps;
}

std::int64_t Ways::border_tile(const Shape& out) const {
  constexpr std::uint32_t kMostSide = 16;  // beyond, padding is under a twentieth
  if (out.height > kMostSide || out.width > kMostSide) return 0;
  const bool large = tile >= 16;
  if (large && out.height % 4 == 0 && out.width % 4 == 0) return 4;
  const bool even = out.height % 2 == 0 && out.width % 2 == 0;
  return even && (!large || out.height * out.width == 4) ? 2 : 0;
}

bool stores_dense(const Op& op) {
  constexpr std::int64_t kMostZeros = 4;  // for each weight, and a few for nothing
  const bool shares_input = op.out_channels / op.groups > 1;
  return op.dense && shares_input &&
         op.weights.total <=
             kMostZeros * static_cast<std::int64_t>(op.weights.values.size()) + 4096;
}

}  // namespace ticket::runtime
