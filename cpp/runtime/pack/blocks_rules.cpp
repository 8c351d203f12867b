// What the program for one image can do in blocks.
#include "runtime/pack/blocks_rules.h"

#include <algorithm>

#include "runtime/pack/ways.h"
#include "runtime/records.h"

namespace ticket::runtime {
namespace {

bool stays_inside(const Axis& axis) {
  const std::int64_t extent = (axis.kernel - 1) * axis.dilation + 1;
  return axis.pad == 0 && (axis.out - 1) * axis.stride + extent <= axis.in;
}

// Each window has at least one pixel.
bool meets_input(const Axis& axis) {
  return axis.dilation == 1 && axis.pad < axis.kernel &&
         (axis.out - 1) * axis.stride - axis.pad < axis.in;
}

// Whether zeros outside the image do for this pool's padding.
bool pools_zeros(const Op& op, const Shape& in, const Shape& out, bool not_negative) {
  const Axis down = axis_down(op.window, in, out);
  const Axis across = axis_across(op.window, in, out);
  if (stays_inside(down) && stays_inside(across)) return true;
  if (op.code == Code::kAvgPool) {
    const Window& w = op.window;
    return op.count_include_pad &&  // then every window counts all its pixels
           (out.height - 1) * down.stride + down.kernel <= std::int64_t{in.height} + w.pad_top +
                                                               w.pad_bottom &&
           (out.width - 1) * across.stride + across.kernel <= std::int64_t{in.width} +
                                                                  w.pad_left + w.pad_right;
  }
  return not_negative && meets_input(down) && meets_input(across);
}

}  // namespace

bool is_plain(const Shape& shape) { return shape.rank == 1 || shape.height * shape.width == 1; }

bool is_small(const Shape& shape) { return shape.height < kBlocks || shape.width < kBlocks; }

bool is_few(const Shape& shape) {
  return !is_plain(shape) && std::uint64_t{shape.height} * shape.width <= kColumn;
}

bool few_are_plain(const Plan& plan) {
  constexpr std::uint64_t kMostPlaces = 256, kMostColumns = 1 << 16;  // a file may claim any
  return std::all_of(plan.ops.begin(), plan.ops.end(), [&](const Op& op) {
    const Shape& out = plan.values[op.output];
    const auto is_few_of = [&](std::uint32_t value) { return is_few(plan.values[value]); };
    if (!is_few(out)) {  // and does not become larger
      return is_plain(out) || std::none_of(op.inputs.begin(), op.inputs.end(), is_few_of);
    }
    if (op.code == Code::kConv) {
      const std::uint64_t places = std::uint64_t{op.window.kernel_h} * op.window.kernel_w;
      return !stores_dense(op) && places <= kMostPlaces &&
             op.in_channels * places <= kMostColumns;
    }
    return op.code != Code::kMul ||
           std::all_of(op.inputs.begin(), op.inputs.end(), is_few_of);
  });
}

bool is_pool(const Op& op) { return op.code == Code::kMaxPool || op.code == Code::kAvgPool; }

bool is_mean(const Op& op, const Shape& in) {
  const Window& w = op.window;
  return op.code == Code::kGlobalAvg ||
         (op.code == Code::kAvgPool && w.kernel_h == in.height && w.kernel_w == in.width &&
          w.pad_top + w.pad_left + w.pad_bottom + w.pad_right == 0);
}

bool has_place(const Op& op, const Plan& plan, bool not_negative) {
  const Shape& in = plan.values[op.inputs[0]];
  const Shape& out = plan.values[op.output];
  switch (op.code) {
    case Code::kConv: return is_plain(out) || !is_plain(in);
    case Code::kMaxPool:
    case Code::kAvgPool:
      return is_plain(out) || (!is_plain(in) && pools_zeros(op, in, out, not_negative));
    case Code::kPad: return false;
    default: return true;
  }
}

}  // namespace ticket::runtime
