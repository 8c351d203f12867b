// Random small networks over all operations, with awkward shapes; the same for the same seed.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "runtime/plan/plan.h"
#include "runtime/plan/shapes.h"

namespace ticket::runtime {

class RandomPlan {
 public:
  explicit RandomPlan(unsigned seed) : random_(seed) {}

  Plan make() {
    plan_.metadata = "{}";
    // Half of the networks stay with shapes that fast paths like.
    tame_ = below(2) == 0;
    const std::uint32_t sides[] = {4, 8, 16, 28, 32};
    Shape input{3, 1 + below(tame_ ? 40 : 9), 1 + below(19), 1 + below(19)};
    if (tame_) input.height = input.width = sides[below(5)];
    if (below(12) == 0) input = {1, 1 + below(90), 1, 1};
    plan_.values.push_back(input);
    plan_.inputs = {0};
    const std::uint32_t count = 1 + below(9);
    for (std::uint32_t tries = 0; plan_.ops.size() < count && tries < 200; ++tries) add_op();
    plan_.outputs = {static_cast<std::uint32_t>(plan_.values.size()) - 1};
    return plan_;
  }

 private:
  std::uint32_t below(std::uint32_t limit) {
    return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(random_);
  }

  float normal() { return std::normal_distribution<float>()(random_); }

  std::uint32_t pick() {  // mostly the newest value
    const auto count = static_cast<std::uint32_t>(plan_.values.size());
    return below(4) == 0 ? below(count) : count - 1;
  }

  const Shape& shape(std::uint32_t value) const { return plan_.values[value]; }

  // Another value of that shape, or itself.
  std::uint32_t like(const Shape& wanted, std::uint32_t otherwise) {
    std::vector<std::uint32_t> found;
    for (std::uint32_t v = 0; v < plan_.values.size(); ++v) {
      const Shape& s = shape(v);
      if (s.rank == wanted.rank && s.channels == wanted.channels && s.height == wanted.height &&
          s.width == wanted.width) {
        found.push_back(v);
      }
    }
    return found.empty() ? otherwise : found[below(static_cast<std::uint32_t>(found.size()))];
  }

  std::vector<float> floats(std::uint32_t count) {
    std::vector<float> values(count);
    for (float& value : values) value = 0.5f * normal();
    return values;
  }

  void draw_window(Op& op) {
    Window& w = op.window;
    w.kernel_h = 1 + below(4);
    w.kernel_w = below(3) == 0 ? 1 + below(5) : w.kernel_h;
    w.stride_h = 1 + below(3) / 2 + (below(12) == 0 ? 2 : 0);
    w.stride_w = below(6) == 0 ? 1 + below(4) : w.stride_h;
    if (below(5) == 0) w.dilation_h = w.dilation_w = 1 + below(3);
    if (op.code == Code::kAvgPool) w.dilation_h = w.dilation_w = 1;
    // A dilated window of a pool may fall beside the image; infinities would hide the rest.
    if (op.code == Code::kMaxPool && w.dilation_h > 1) return;
    w.pad_top = w.pad_bottom = below(w.kernel_h / 2 + 1);
    w.pad_left = w.pad_right = below(w.kernel_w / 2 + 1);
    if (below(5) == 0) w.pad_bottom = below(w.kernel_h);
    if (below(5) == 0) w.pad_right = below(w.kernel_w);
    if (op.code == Code::kConv && below(9) == 0) w.pad_left = below(9);
    if (tame_ && below(3) != 0) {
      w = Window{};
      w.stride_h = w.stride_w = 1 + below(2);
      if (op.code == Code::kConv) {
        w.kernel_h = w.kernel_w = 1 + 2 * below(3);
        w.pad_top = w.pad_left = w.pad_bottom = w.pad_right = w.kernel_h / 2;
      } else {
        w.kernel_h = w.kernel_w = 2 + below(2);
        w.stride_h = w.stride_w = 2;
        w.pad_top = w.pad_left = w.pad_bottom = w.pad_right = w.kernel_h / 3;
      }
    }
  }

  void draw_weights(Op& op, std::int64_t total) {
    const std::uint32_t percents[] = {0, 50, 90, 95, 99, 100};  // of zeros
    const std::uint32_t zeros = percents[below(6)];
    op.weights.total = total;
    for (std::int64_t i = 0; i < total; ++i) {
      if (below(100) < zeros) continue;
      op.weights.positions.push_back(i);
      op.weights.values.push_back(normal());
    }
    const double kept = static_cast<double>(op.weights.values.size()) / op.out_channels;
    for (float& value : op.weights.values) value /= static_cast<float>(std::sqrt(kept + 1));
    op.dense = below(3) == 0;
    if (below(3) != 0) op.bias = floats(op.out_channels);
  }

  void draw_conv(Op& op, const Shape& in) {
    draw_window(op);
    op.in_channels = in.channels;
    op.out_channels = 1 + below(tame_ ? 40 : 11);
    if (below(3) == 0) op.out_channels = in.channels;  // then it may be its own residual
    if (below(5) == 0) {
      op.groups = in.channels;
      op.out_channels = in.channels * (1 + below(2));
    } else if (in.channels % 2 == 0 && below(5) == 0) {
      op.groups = 2;
      op.out_channels = 2 * (1 + below(6));
    }
    draw_weights(op, weight_count(op));
  }

  // Draws the fields of `op` but its output's shape; false if its input does not suit.
  bool draw(Op& op) {
    const Shape in = shape(op.inputs[0]);
    switch (op.code) {
      case Code::kConv:
        if (in.rank != 3) return false;
        draw_conv(op, in);
        return true;
      case Code::kLinear:
        if (in.rank != 1) return false;
        op.in_channels = in.channels;
        op.out_channels = 1 + below(70);
        draw_weights(op, std::int64_t{op.out_channels} * op.in_channels);
        return true;
      case Code::kMaxPool:
      case Code::kAvgPool:
        draw_window(op);
        op.count_include_pad = below(2) == 0;
        return in.rank == 3;
      case Code::kAdd: op.inputs.push_back(like(in, op.inputs[0])); return true;
      case Code::kMul: {
        const bool per_channel = in.rank == 3 && below(3) != 0;
        const Shape wanted = per_channel ? Shape{3, in.channels, 1, 1} : in;
        op.inputs.push_back(like(wanted, op.inputs[0]));
        return true;
      }
      case Code::kAffine:
        op.scale = floats(in.channels);
        op.shift = floats(in.channels);
        return true;
      case Code::kPad:
        op.window = Window{};
        op.window.pad_top = below(3);
        op.window.pad_left = below(3);
        op.window.pad_bottom = below(3);
        op.window.pad_right = below(3);
        op.pad_value = below(2) == 0 ? 0.0f : normal();
        return in.rank == 3 && below(3) == 0;  // rare: it costs the blocks program
      case Code::kConcat:
        for (std::uint32_t more = below(3); more > 0; --more) {
          op.inputs.push_back(like(in, op.inputs[0]));
        }
        return in.size() < 20000;
      case Code::kReshape: return below(4) == 0;
      default: return true;
    }
  }

  Shape reshaped(const Shape& in) {
    const auto size = static_cast<std::uint32_t>(in.size());
    if (below(2) == 0) return {1, size, 1, 1};
    const std::uint32_t width = 1 + below(6);
    const std::uint32_t height = 1 + below(4);
    if (size % (width * height) != 0) return {3, size, 1, 1};
    return {3, size / (width * height), height, width};
  }

  void add_op() {
    Op op;
    const std::uint32_t kind = below(24);
    op.code = kind < 10 ? Code::kConv : static_cast<Code>(1 + kind % 13);
    op.inputs = {pick()};
    const Code acting[] = {Code::kConv, Code::kLinear, Code::kAdd, Code::kMul, Code::kAct,
                           Code::kAffine};
    if (std::find(std::begin(acting), std::end(acting), op.code) != std::end(acting)) {
      op.act = static_cast<Act>(below(3));
    }
    if (!draw(op)) return;
    op.output = static_cast<std::uint32_t>(plan_.values.size());
    std::vector<Shape> values = plan_.values;
    values.push_back(op.code == Code::kReshape ? reshaped(shape(op.inputs[0])) : Shape{});
    Shape out;
    std::string why;
    if (!output_shape(op, values, &out, &why) || out.size() > 40000) return;
    if ((op.code == Code::kConv || op.code == Code::kLinear) && below(3) == 0) {
      op.residual = like(out, kNone);
    }
    plan_.values.push_back(out);
    plan_.ops.push_back(std::move(op));
  }

  std::mt19937 random_;
  Plan plan_;
  bool tame_ = false;
};

}  // namespace ticket::runtime
