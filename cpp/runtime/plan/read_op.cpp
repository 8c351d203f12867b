// One operation's fields, in the order of the file.
#include "runtime/plan/read_op.h"

#include "runtime/plan/format.h"
#include "runtime/plan/refuse.h"
#include "runtime/plan/rice.h"
#include "runtime/plan/shapes.h"

namespace ticket::runtime {
namespace {

bool read_id(Reader& reader, const std::vector<Shape>& values, std::uint32_t* id,
             std::string* why) {
  *id = reader.small();
  if (reader.failed) return refuse(why, kShort);
  return *id < values.size() ||
         refuse(why, "it reads value " + std::to_string(*id) + ", which nothing has written");
}

bool read_inputs(Reader& reader, const std::vector<Shape>& values, Op* op, std::string* why) {
  std::uint32_t count = 1;
  if (op->code == Code::kAdd || op->code == Code::kMul) count = 2;
  if (op->code == Code::kConcat) count = reader.small();
  if (reader.failed || count > reader.left()) return refuse(why, kShort);
  if (count == 0) return refuse(why, "no inputs");
  if (count > kMostOps) return refuse(why, "more than 65536 inputs");
  op->inputs.resize(count);
  for (std::uint32_t& input : op->inputs) {
    if (!read_id(reader, values, &input, why)) return false;
  }
  return true;
}

// The flags of an operation that has any; they set the fields that are a bit.
bool read_flags(Reader& reader, Op* op, unsigned* flags, std::string* why) {
  *flags = 0;
  if (flags_of(op->code) == 0) return true;
  *flags = reader.u8();
  if ((*flags & ~flags_of(op->code)) != 0) {
    return refuse(why, "unknown flags " + std::to_string(*flags));
  }
  if ((*flags & kActFlags) == 3) return refuse(why, "unknown activation 3");
  op->act = static_cast<Act>(*flags & kActFlags);
  if (op->code == Code::kAvgPool) {
    op->count_include_pad = (*flags & kCountPadFlag) != 0;
  } else {
    op->dense = (*flags & kDenseFlag) != 0;
  }
  return true;
}

void read_pads(Reader& reader, Window* window) {
  window->pad_top = reader.small();
  window->pad_left = reader.small();
  window->pad_bottom = reader.small();
  window->pad_right = reader.small();
}

bool read_window(Reader& reader, unsigned flags, Code code, Window* window, std::string* why) {
  if ((flags & kWideFlag) == 0) {
    window->kernel_h = window->kernel_w = reader.small();
    window->stride_h = window->stride_w = reader.small();
    window->pad_top = window->pad_left = window->pad_bottom = window->pad_right = reader.small();
    return true;
  }
  window->kernel_h = reader.small();
  window->kernel_w = reader.small();
  window->stride_h = reader.small();
  window->stride_w = reader.small();
  read_pads(reader, window);
  if (code != Code::kAvgPool) {
    window->dilation_h = reader.small();
    window->dilation_w = reader.small();
  }
  return !is_plain(*window) || refuse(why, "its window has a shorter form, or the plan ends in it");
}

// As many channels go in as the input has.
bool read_layer(Reader& reader, const std::vector<Shape>& values, unsigned flags, Op* op,
                std::string* why) {
  if ((flags & kResidualFlag) != 0 && !read_id(reader, values, &op->residual, why)) return false;
  op->in_channels = values[op->inputs[0]].channels;
  op->out_channels = reader.small();
  if (op->code == Code::kConv && !read_window(reader, flags, op->code, &op->window, why)) {
    return false;
  }
  if ((flags & kGroupsFlag) != 0) {
    op->groups = reader.small();
    if (op->groups == 1) return refuse(why, "one group is said twice");
  }
  if (reader.failed) return refuse(why, kShort);
  if (op->out_channels == 0 || op->groups == 0 || op->in_channels % op->groups != 0 ||
      op->out_channels % op->groups != 0) {
    return refuse(why, "channels are zero, or no multiple of the groups");
  }
  if ((flags & kBiasFlag) != 0) op->bias = reader.floats(op->out_channels);
  if (reader.failed) return refuse(why, kShort);
  const std::int64_t total = weight_count(*op);
  if (total < 0) return refuse(why, "more than 2^40 weights");
  return read_weights(reader, total, &op->weights, why);
}

}  // namespace

unsigned flags_of(Code code) {
  switch (code) {
    case Code::kConv:
      return kActFlags | kDenseFlag | kBiasFlag | kResidualFlag | kWideFlag | kGroupsFlag;
    case Code::kLinear: return kActFlags | kDenseFlag | kBiasFlag | kResidualFlag;
    case Code::kMaxPool: return kWideFlag;
    case Code::kAvgPool: return kWideFlag | kCountPadFlag;
    case Code::kAdd:
    case Code::kMul:
    case Code::kAct:
    case Code::kAffine: return kActFlags;
    case Code::kGlobalAvg:
    case Code::kGlobalMax:
    case Code::kPad:
    case Code::kConcat:
    case Code::kReshape: return 0;
  }
  return 0;
}

bool is_plain(const Window& w) {
  return w.kernel_h == w.kernel_w && w.stride_h == w.stride_w && w.pad_top == w.pad_left &&
         w.pad_top == w.pad_bottom && w.pad_top == w.pad_right && w.dilation_h == 1 &&
         w.dilation_w == 1;
}

bool read_shape(Reader& reader, Shape* shape, std::string* why) {
  *shape = Shape{};
  shape->rank = reader.u8();
  if (!reader.failed && shape->rank != 1 && shape->rank != 3) {
    return refuse(why, "a shape has rank " + std::to_string(shape->rank) + ", not 1 or 3");
  }
  shape->channels = reader.small();
  if (shape->rank == 3) {
    shape->height = reader.small();
    shape->width = reader.small();
  }
  if (reader.failed) return refuse(why, kShort);
  return product({shape->channels, shape->height, shape->width}, kMostElements) >= 1 ||
         refuse(why, "a shape has a dimension of zero or more than 2^31 elements");
}

bool read_op(Reader& reader, const std::vector<Shape>& values, Op* op, Shape* reshaped,
             std::string* why) {
  unsigned flags = 0;
  if (!read_inputs(reader, values, op, why) || !read_flags(reader, op, &flags, why)) return false;
  switch (op->code) {
    case Code::kConv:
    case Code::kLinear: return read_layer(reader, values, flags, op, why);
    case Code::kMaxPool:
    case Code::kAvgPool: return read_window(reader, flags, op->code, &op->window, why);
    case Code::kAffine: {
      const std::uint32_t channels = values[op->inputs[0]].channels;
      op->scale = reader.floats(channels);
      op->shift = reader.floats(channels);
      return true;
    }
    case Code::kPad: read_pads(reader, &op->window); op->pad_value = reader.f32(); return true;
    case Code::kReshape: return read_shape(reader, reshaped, why);
    case Code::kAdd:
    case Code::kMul:
    case Code::kAct:
    case Code::kGlobalAvg:
    case Code::kGlobalMax:
    case Code::kConcat: return true;
  }
  return refuse(why, "unknown operation");
}

}  // namespace ticket::runtime
