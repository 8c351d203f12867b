// The inverse of decode, for tests: the Python exporter writes the files that ship.
#include <algorithm>

#include "runtime/bytes.h"
#include "runtime/crc32.h"
#include "runtime/format.h"
#include "runtime/plan.h"
#include "runtime/rice.h"

namespace ticket::runtime {
namespace {

using Bytes = std::vector<std::uint8_t>;

void put_all(Bytes& bytes, std::initializer_list<std::uint32_t> fields) {
  for (const std::uint32_t field : fields) put_u32(bytes, field);
}

void put_values(Bytes& bytes, const std::vector<Shape>& values) {
  put_u32(bytes, static_cast<std::uint32_t>(values.size()));
  for (const Shape& shape : values) {
    put_u8(bytes, shape.rank);
    put_u32(bytes, shape.channels);
    if (shape.rank == 3) put_all(bytes, {shape.height, shape.width});
  }
}

void put_ids(Bytes& bytes, const std::vector<std::uint32_t>& ids) {
  put_u32(bytes, static_cast<std::uint32_t>(ids.size()));
  for (const std::uint32_t id : ids) put_u32(bytes, id);
}

void put_window(Bytes& bytes, const Window& w) {
  put_all(bytes, {w.kernel_h, w.kernel_w, w.stride_h, w.stride_w});
  put_all(bytes, {w.pad_top, w.pad_left, w.pad_bottom, w.pad_right});
}

// How many bits the positions take with this Rice parameter.
std::uint64_t stream_bits(const std::vector<std::int64_t>& positions, unsigned k) {
  std::uint64_t bits = 0;
  std::int64_t next = 0;
  for (const std::int64_t position : positions) {
    bits += (static_cast<std::uint64_t>(position - next) >> k) + 1 + k;
    next = position + 1;
  }
  return bits;
}

// As fp32, with the parameter that takes the fewest bits.
void write_weights(Bytes& bytes, const Weights& weights) {
  unsigned k = 0;
  for (unsigned other = 1; other <= kLargestRice; ++other) {
    if (stream_bits(weights.positions, other) < stream_bits(weights.positions, k)) k = other;
  }
  Bytes stream(static_cast<std::size_t>((stream_bits(weights.positions, k) + 7) / 8));
  std::uint64_t at = 0;
  const auto add = [&](bool bit) {
    stream[at / 8] = static_cast<std::uint8_t>(stream[at / 8] | (bit ? 1u << (at % 8) : 0u));
    ++at;
  };
  std::int64_t next = 0;
  for (const std::int64_t position : weights.positions) {
    const auto gap = static_cast<std::uint64_t>(position - next);
    at += gap >> k;  // zeros
    add(true);
    for (unsigned bit = 0; bit < k; ++bit) add((gap >> bit & 1) != 0);
    next = position + 1;
  }
  put_u8(bytes, 0);
  put_u8(bytes, static_cast<std::uint8_t>(k));
  put_u64(bytes, weights.positions.size());
  put_u64(bytes, stream.size());
  bytes.insert(bytes.end(), stream.begin(), stream.end());
  put_floats(bytes, weights.values);
}

void put_layer(Bytes& bytes, const Op& op) {
  put_all(bytes, {op.residual, op.out_channels, op.in_channels});
  if (op.code == Code::kConv) {
    put_window(bytes, op.window);
    put_all(bytes, {op.window.dilation_h, op.window.dilation_w, op.groups});
  }
  put_u8(bytes, static_cast<std::uint8_t>(op.act));
  put_u8(bytes, op.dense ? 1 : 0);
  put_u8(bytes, op.bias.empty() ? 0 : 1);
  put_floats(bytes, op.bias);
  write_weights(bytes, op.weights);
}

void put_op(Bytes& bytes, const Op& op) {
  put_u8(bytes, static_cast<std::uint8_t>(op.code));
  if (op.code == Code::kConcat) put_u32(bytes, static_cast<std::uint32_t>(op.inputs.size()));
  for (const std::uint32_t input : op.inputs) put_u32(bytes, input);
  put_u32(bytes, op.output);
  switch (op.code) {
    case Code::kConv:
    case Code::kLinear: put_layer(bytes, op); break;
    case Code::kMaxPool:
      put_window(bytes, op.window);
      put_all(bytes, {op.window.dilation_h, op.window.dilation_w});
      break;
    case Code::kAvgPool:
      put_window(bytes, op.window);
      put_u8(bytes, op.count_include_pad ? 1 : 0);
      break;
    case Code::kAdd:
    case Code::kMul:
    case Code::kAct: put_u8(bytes, static_cast<std::uint8_t>(op.act)); break;
    case Code::kAffine:
      put_u8(bytes, static_cast<std::uint8_t>(op.act));
      put_floats(bytes, op.scale);
      put_floats(bytes, op.shift);
      break;
    case Code::kPad:
      put_all(bytes, {op.window.pad_top, op.window.pad_left, op.window.pad_bottom,
                      op.window.pad_right, bits_of(op.pad_value)});
      break;
    case Code::kGlobalAvg:
    case Code::kGlobalMax:
    case Code::kConcat:
    case Code::kReshape: break;
  }
}

}  // namespace

void seal(std::vector<std::uint8_t>* plan) {
  Bytes fields;
  put_u64(fields, plan->size());
  put_u32(fields, crc32(plan->data() + kHeaderSize, plan->size() - kHeaderSize));
  std::copy(fields.begin(), fields.end(), plan->begin() + kLengthAt);
}

std::vector<std::uint8_t> encode(const Plan& plan) {
  Bytes bytes(kMagic, kMagic + 7);
  put_u8(bytes, kVersion);
  bytes.resize(kHeaderSize);
  put_u32(bytes, static_cast<std::uint32_t>(plan.metadata.size()));
  bytes.insert(bytes.end(), plan.metadata.begin(), plan.metadata.end());
  put_values(bytes, plan.values);
  put_ids(bytes, plan.inputs);
  put_ids(bytes, plan.outputs);
  put_u32(bytes, static_cast<std::uint32_t>(plan.ops.size()));
  for (const Op& op : plan.ops) put_op(bytes, op);
  seal(&bytes);
  return bytes;
}

}  // namespace ticket::runtime
