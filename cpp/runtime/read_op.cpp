// One operation's fields, in the order of the file.
#include "runtime/read_op.h"

#include "runtime/rice.h"
#include "runtime/shapes.h"

namespace ticket::runtime {
namespace {

bool refuse(std::string* why, const std::string& reason) {
  *why = reason;
  return false;
}

bool read_inputs(Reader& reader, Op* op) {
  std::uint32_t count = 1;
  if (op->code == Code::kAdd || op->code == Code::kMul) count = 2;
  if (op->code == Code::kConcat) count = reader.u32();
  if (count > reader.left() / 4) return false;
  op->inputs.resize(count);
  for (std::uint32_t& input : op->inputs) input = reader.u32();
  return true;
}

void read_pads(Reader& reader, Window* window) {
  window->pad_top = reader.u32();
  window->pad_left = reader.u32();
  window->pad_bottom = reader.u32();
  window->pad_right = reader.u32();
}

void read_window(Reader& reader, Code code, Window* window) {
  window->kernel_h = reader.u32();
  window->kernel_w = reader.u32();
  window->stride_h = reader.u32();
  window->stride_w = reader.u32();
  read_pads(reader, window);
  if (code == Code::kAvgPool) return;
  window->dilation_h = reader.u32();
  window->dilation_w = reader.u32();
}

bool read_flag(Reader& reader, bool* flag, std::string* why) {
  const std::uint8_t value = reader.u8();
  *flag = value == 1;
  return value <= 1 || refuse(why, "a flag is " + std::to_string(value) + ", not 0 or 1");
}

bool read_act(Reader& reader, Act* act, std::string* why) {
  const std::uint8_t value = reader.u8();
  *act = static_cast<Act>(value);
  return value <= 2 || refuse(why, "unknown activation " + std::to_string(value));
}

bool read_layer(Reader& reader, Op* op, std::string* why) {
  op->residual = reader.u32();
  op->out_channels = reader.u32();
  op->in_channels = reader.u32();
  if (op->code == Code::kConv) {
    read_window(reader, op->code, &op->window);
    op->groups = reader.u32();
  }
  bool biased = false;
  if (!read_act(reader, &op->act, why) || !read_flag(reader, &op->dense, why) ||
      !read_flag(reader, &biased, why)) {
    return false;
  }
  if (reader.failed) return refuse(why, kShort);
  if (op->out_channels == 0 || op->groups == 0 || op->in_channels % op->groups != 0 ||
      op->out_channels % op->groups != 0) {
    return refuse(why, "channels are zero, or no multiple of the groups");
  }
  if (biased) op->bias = reader.floats(op->out_channels);
  if (reader.failed) return refuse(why, kShort);
  const std::int64_t total = weight_count(*op);
  if (total < 0) return refuse(why, "more than 2^40 weights");
  return read_weights(reader, total, &op->weights, why);
}

}  // namespace

bool read_op(Reader& reader, const std::vector<Shape>& values, Op* op, std::string* why) {
  if (!read_inputs(reader, op)) return refuse(why, kShort);
  op->output = reader.u32();
  if (op->inputs.empty()) return refuse(why, "no inputs");
  switch (op->code) {
    case Code::kConv:
    case Code::kLinear: return read_layer(reader, op, why);
    case Code::kMaxPool: read_window(reader, op->code, &op->window); return true;
    case Code::kAvgPool:
      read_window(reader, op->code, &op->window);
      return read_flag(reader, &op->count_include_pad, why);
    case Code::kAdd:
    case Code::kMul:
    case Code::kAct: return read_act(reader, &op->act, why);
    case Code::kAffine: {
      if (!read_act(reader, &op->act, why)) return false;
      // As many as the input has channels; an id that is out of range is refused later.
      const std::uint32_t input = op->inputs[0];
      const std::uint32_t channels = input < values.size() ? values[input].channels : 0;
      op->scale = reader.floats(channels);
      op->shift = reader.floats(channels);
      return true;
    }
    case Code::kPad: read_pads(reader, &op->window); op->pad_value = reader.f32(); return true;
    case Code::kGlobalAvg:
    case Code::kGlobalMax:
    case Code::kConcat:
    case Code::kReshape: return true;
  }
  return refuse(why, "unknown operation");
}

}  // namespace ticket::runtime
