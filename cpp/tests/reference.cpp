// Plain loops.
#include "reference.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace ticket::runtime {
namespace {

double reference_act(double value, Act act) {
  if (act == Act::kNone || std::isnan(value)) return value;
  return std::min(std::max(value, 0.0), act == Act::kRelu6 ? 6.0 : value > 0 ? value : 0.0);
}

// in[c][y][x], or `outside` beyond the image.
double reference_pixel(const Doubles& in, const Shape& shape, std::int64_t c,
                       std::int64_t y, std::int64_t x, double outside) {
  if (y < 0 || y >= shape.height || x < 0 || x >= shape.width) return outside;
  return in[static_cast<std::size_t>((c * shape.height + y) * shape.width + x)];
}

Doubles reference_conv(const Op& op, const Shape& is, const Doubles& in, const Shape& os) {
  const Window& w = op.window;
  const std::int64_t per_group = op.in_channels / op.groups;
  Doubles out(static_cast<std::size_t>(os.size()));
  for (std::size_t i = 0; i < op.weights.values.size(); ++i) {
    std::int64_t rest = op.weights.positions[i];
    const std::int64_t kx = rest % w.kernel_w;
    rest /= w.kernel_w;
    const std::int64_t ky = rest % w.kernel_h;
    rest /= w.kernel_h;
    const std::int64_t oc = rest / per_group;
    const std::int64_t ic = oc / (op.out_channels / op.groups) * per_group + rest % per_group;
    for (std::int64_t y = 0; y < os.height; ++y) {
      for (std::int64_t x = 0; x < os.width; ++x) {
        out[static_cast<std::size_t>((oc * os.height + y) * os.width + x)] +=
            op.weights.values[i] *
            reference_pixel(in, is, ic, y * w.stride_h - w.pad_top + ky * w.dilation_h,
                            x * w.stride_w - w.pad_left + kx * w.dilation_w, 0.0);
      }
    }
  }
  return out;
}

Doubles reference_pool(const Op& op, const Shape& is, const Doubles& in, const Shape& os) {
  Window w = op.window;
  const bool global = op.code == Code::kGlobalAvg || op.code == Code::kGlobalMax;
  if (global) {
    w = Window{};
    w.kernel_h = is.height;
    w.kernel_w = is.width;
  }
  const bool is_max = op.code == Code::kMaxPool || op.code == Code::kGlobalMax;
  Doubles out;
  for (std::int64_t c = 0; c < os.channels; ++c) {
    for (std::int64_t oy = 0; oy < os.height; ++oy) {
      for (std::int64_t ox = 0; ox < os.width; ++ox) {
        double best = -std::numeric_limits<double>::infinity();
        double sum = 0;
        int inside = 0;
        int padded = 0;
        for (std::int64_t ky = 0; ky < w.kernel_h; ++ky) {
          for (std::int64_t kx = 0; kx < w.kernel_w; ++kx) {
            const std::int64_t y = oy * w.stride_h - w.pad_top + ky * w.dilation_h;
            const std::int64_t x = ox * w.stride_w - w.pad_left + kx * w.dilation_w;
            padded += y < std::int64_t{is.height} + w.pad_bottom &&
                      x < std::int64_t{is.width} + w.pad_right;
            if (y < 0 || y >= is.height || x < 0 || x >= is.width) continue;
            const double value = reference_pixel(in, is, c, y, x, 0.0);
            best = std::max(best, value);
            sum += value;
            ++inside;
          }
        }
        const int count = !global && op.count_include_pad ? padded : inside;
        out.push_back(is_max ? best : count > 0 ? sum / count : 0.0);
      }
    }
  }
  return out;
}

Doubles reference_pad(const Op& op, const Shape& is, const Doubles& in, const Shape& os) {
  Doubles out;
  for (std::int64_t c = 0; c < os.channels; ++c) {
    for (std::int64_t y = 0; y < os.height; ++y) {
      for (std::int64_t x = 0; x < os.width; ++x) {
        out.push_back(reference_pixel(in, is, c, y - op.window.pad_top, x - op.window.pad_left,
                                      op.pad_value));
      }
    }
  }
  return out;
}

Doubles reference_op(const Plan& plan, const Op& op, const std::vector<Doubles>& values) {
  const Shape& is = plan.values[op.inputs[0]];
  const Shape& os = plan.values[op.output];
  const Doubles& in = values[op.inputs[0]];
  const auto pixels = static_cast<std::size_t>(std::int64_t{os.height} * os.width);
  Doubles out = in;
  switch (op.code) {
    case Code::kConv:
    case Code::kLinear: out = reference_conv(op, is, in, os); break;
    case Code::kMaxPool:
    case Code::kAvgPool:
    case Code::kGlobalAvg:
    case Code::kGlobalMax: return reference_pool(op, is, in, os);
    case Code::kAdd:
      for (std::size_t i = 0; i < out.size(); ++i) out[i] += values[op.inputs[1]][i];
      break;
    case Code::kMul: {
      const Doubles& factor = values[op.inputs[1]];
      const bool whole = factor.size() == out.size();
      for (std::size_t i = 0; i < out.size(); ++i) out[i] *= factor[whole ? i : i / pixels];
      break;
    }
    case Code::kAct: break;
    case Code::kAffine:
      for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = out[i] * op.scale[i / pixels] + op.shift[i / pixels];
      }
      break;
    case Code::kPad: return reference_pad(op, is, in, os);
    case Code::kConcat:
      out.clear();
      for (const std::uint32_t input : op.inputs) {
        out.insert(out.end(), values[input].begin(), values[input].end());
      }
      return out;
    case Code::kReshape: return out;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!op.bias.empty()) out[i] += op.bias[i / pixels];
    if (op.residual != kNone) out[i] += values[op.residual][i];
    out[i] = reference_act(out[i], op.act);
  }
  return out;
}

}  // namespace

ReferenceResult reference_run(const Plan& plan, const float* image) {
  std::vector<Doubles> values(plan.values.size());
  values[plan.inputs[0]].assign(image, image + plan.values[plan.inputs[0]].size());
  ReferenceResult result;
  const auto measure = [&](const Doubles& some) {
    for (const double value : some) {
      if (std::isfinite(value)) result.largest = std::max(result.largest, std::fabs(value));
    }
  };
  measure(values[plan.inputs[0]]);
  for (const Op& op : plan.ops) {
    values[op.output] = reference_op(plan, op, values);
    measure(values[op.output]);
  }
  result.output = values[plan.outputs[0]];
  return result;
}

}  // namespace ticket::runtime
