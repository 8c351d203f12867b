#include "runtime/plan/shapes.h"

#include "runtime/plan/refuse.h"

namespace ticket::runtime {
namespace {

bool is_image(const Shape& shape, std::string* why) {
  return shape.rank == 3 || refuse(why, "the input must be an image, not a vector");
}

// In 64 bits, where three fields of 32 cannot overflow.
struct Axis {
  std::uint64_t size, before, after, kernel, stride, dilation;

  std::uint64_t padded() const { return before + size + after; }
  std::uint64_t extent() const { return (kernel - 1) * dilation + 1; }
  std::uint64_t positions() const { return (padded() - extent()) / stride + 1; }
};

bool check(const Axis& axis, bool pool, std::string* why) {
  if (axis.kernel == 0 || axis.stride == 0 || axis.dilation == 0) {
    return refuse(why, "a kernel size, stride or dilation is zero");
  }
  if (axis.extent() > axis.padded()) return refuse(why, "the kernel is larger than the image");
  // A pool of padding alone would be -inf or 0/0; a convolution's is its bias.
  if (pool && (axis.before >= axis.extent() ||
               (axis.positions() - 1) * axis.stride >= axis.size + axis.before)) {
    return refuse(why, "a window lies wholly in the padding");
  }
  return true;
}

bool windowed(const Op& op, const Shape& in, std::uint32_t channels, Shape* out,
              std::string* why) {
  const Window& w = op.window;
  const Axis y{in.height, w.pad_top, w.pad_bottom, w.kernel_h, w.stride_h, w.dilation_h};
  const Axis x{in.width, w.pad_left, w.pad_right, w.kernel_w, w.stride_w, w.dilation_w};
  const bool pool = op.code != Code::kConv;
  if (!is_image(in, why) || !check(y, pool, why) || !check(x, pool, why)) return false;
  if (product({in.channels, y.padded(), x.padded()}, kMostElements) < 0 ||
      product({channels, y.positions(), x.positions()}, kMostElements) < 0) {
    return refuse(why, "the padded image or the output has more than 2^31 elements");
  }
  *out = {3, channels, static_cast<std::uint32_t>(y.positions()),
          static_cast<std::uint32_t>(x.positions())};
  return true;
}

bool multiplied(const Op& op, const Shape& in, Shape* out, std::string* why) {
  if (in.rank != 1) return refuse(why, "the input is " + text_of(in) + ", not a vector");
  *out = {1, op.out_channels, 1, 1};
  return true;
}

bool paired(const Op& op, const Shape& a, const Shape& b, std::string* why) {
  const bool per_channel = op.code == Code::kMul && a.rank == 3 && b.rank == 3 &&
                           a.channels == b.channels && b.height == 1 && b.width == 1;
  return same(a, b) || per_channel ||
         refuse(why, "the inputs are " + text_of(a) + " and " + text_of(b));
}

bool padded(const Op& op, const Shape& in, Shape* out, std::string* why) {
  const Window& w = op.window;
  const std::uint64_t height = std::uint64_t{in.height} + w.pad_top + w.pad_bottom;
  const std::uint64_t width = std::uint64_t{in.width} + w.pad_left + w.pad_right;
  if (!is_image(in, why)) return false;
  if (product({in.channels, height, width}, kMostElements) < 0) {
    return refuse(why, "the output has more than 2^31 elements");
  }
  *out = {3, in.channels, static_cast<std::uint32_t>(height), static_cast<std::uint32_t>(width)};
  return true;
}

bool joined(const Op& op, const std::vector<Shape>& values, Shape* out, std::string* why) {
  const Shape& first = values[op.inputs[0]];
  std::uint64_t channels = 0;
  for (const std::uint32_t input : op.inputs) {
    const Shape& in = values[input];
    if (in.rank != first.rank || in.height != first.height || in.width != first.width) {
      return refuse(why, "the inputs are " + text_of(first) + " and " + text_of(in));
    }
    channels += in.channels;
  }
  if (product({channels, first.height, first.width}, kMostElements) < 0) {
    return refuse(why, "the output has more than 2^31 elements");
  }
  *out = first;
  out->channels = static_cast<std::uint32_t>(channels);
  return true;
}

}  // namespace

bool same(const Shape& a, const Shape& b) {
  return a.rank == b.rank && a.channels == b.channels && a.height == b.height &&
         a.width == b.width;
}

const char* name_of(Code code) {
  switch (code) {
    case Code::kConv: return "conv";
    case Code::kLinear: return "linear";
    case Code::kMaxPool: return "maxpool";
    case Code::kAvgPool: return "avgpool";
    case Code::kGlobalAvg: return "globalavg";
    case Code::kGlobalMax: return "globalmax";
    case Code::kAdd: return "add";
    case Code::kMul: return "mul";
    case Code::kAct: return "act";
    case Code::kAffine: return "affine";
    case Code::kPad: return "pad";
    case Code::kConcat: return "concat";
    case Code::kReshape: return "reshape";
  }
  return "unknown";
}

std::string text_of(const Shape& shape) {
  std::string text = std::to_string(shape.channels);
  if (shape.rank == 1) return text;
  return text + "x" + std::to_string(shape.height) + "x" + std::to_string(shape.width);
}

std::int64_t product(std::initializer_list<std::uint64_t> factors, std::int64_t limit) {
  const auto most = static_cast<std::uint64_t>(limit);
  std::uint64_t result = 1;
  for (const std::uint64_t factor : factors) {
    if (factor == 0) return 0;
  }
  for (const std::uint64_t factor : factors) {
    if (factor > most / result) return -1;
    result *= factor;
  }
  return static_cast<std::int64_t>(result);
}

bool output_shape(const Op& op, const std::vector<Shape>& values, Shape* output,
                  std::string* why) {
  const Shape& in = values[op.inputs[0]];
  *output = in;
  switch (op.code) {
    case Code::kConv: return windowed(op, in, op.out_channels, output, why);
    case Code::kLinear: return multiplied(op, in, output, why);
    case Code::kMaxPool:
    case Code::kAvgPool: return windowed(op, in, in.channels, output, why);
    case Code::kGlobalAvg:
    case Code::kGlobalMax: *output = {3, in.channels, 1, 1}; return is_image(in, why);
    case Code::kAdd:
    case Code::kMul: return paired(op, in, values[op.inputs[1]], why);
    case Code::kAct:
    case Code::kAffine: return true;
    case Code::kPad: return padded(op, in, output, why);
    case Code::kConcat: return joined(op, values, output, why);
    case Code::kReshape: *output = values[op.output];
      return in.size() == output->size() ||
             refuse(why, "the output is " + text_of(*output) + ", the input " + text_of(in));
  }
  return refuse(why, "unknown operation");
}

std::int64_t weight_count(const Op& op) {
  if (op.code == Code::kLinear) return product({op.out_channels, op.in_channels}, kMostWeights);
  return product({op.out_channels, op.in_channels / op.groups, op.window.kernel_h,
                  op.window.kernel_w},
                 kMostWeights);
}

}  // namespace ticket::runtime
