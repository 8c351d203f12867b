// The inverse of decode, for tests: the Python exporter writes the files that ship.
#include <algorithm>

#include "runtime/plan/bytes.h"
#include "runtime/plan/crc32.h"
#include "runtime/plan/format.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/rice.h"

namespace ticket::runtime {
namespace {

using Bytes = std::vector<std::uint8_t>;

void put_all(Bytes& bytes, std::initializer_list<std::uint32_t> fields) {
  for (const std::uint32_t field : fields) put_number(bytes, field);
}

void put_shape(Bytes& bytes, const Shape& shape) {
  put_u8(bytes, shape.rank);
  put_number(bytes, shape.channels);
  if (shape.rank == 3) put_all(bytes, {shape.height, shape.width});
}

void put_pads(Bytes& bytes, const Window& w) {
  put_all(bytes, {w.pad_top, w.pad_left, w.pad_bottom, w.pad_right});
}

void put_window(Bytes& bytes, const Op& op) {
  const Window& w = op.window;
  if (is_plain(w)) return put_all(bytes, {w.kernel_h, w.stride_h, w.pad_top});
  put_all(bytes, {w.kernel_h, w.kernel_w, w.stride_h, w.stride_w});
  put_pads(bytes, w);
  if (op.code != Code::kAvgPool) put_all(bytes, {w.dilation_h, w.dilation_w});
}

unsigned flags_from(const Op& op) {
  const auto flag = [](bool set, unsigned bit) { return set ? bit : 0u; };
  const unsigned flags = static_cast<unsigned>(op.act) | flag(op.dense, kDenseFlag) |
                         flag(!op.bias.empty(), kBiasFlag) |
                         flag(op.residual != kNone, kResidualFlag) |
                         flag(!is_plain(op.window), kWideFlag) | flag(op.groups != 1, kGroupsFlag);
  if (op.code != Code::kAvgPool) return flags;
  return (flags & ~kDenseFlag) | flag(op.count_include_pad, kCountPadFlag);
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
  if (static_cast<std::int64_t>(weights.values.size()) == weights.total) {
    put_u8(bytes, 0);
    put_number(bytes, weights.values.size());
    return put_floats(bytes, weights.values);
  }
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
  put_u8(bytes, static_cast<std::uint8_t>(k << 2));
  put_number(bytes, weights.positions.size());
  put_number(bytes, stream.size());
  bytes.insert(bytes.end(), stream.begin(), stream.end());
  put_floats(bytes, weights.values);
}

void put_layer(Bytes& bytes, const Op& op) {
  if (op.residual != kNone) put_number(bytes, op.residual);
  put_number(bytes, op.out_channels);
  if (op.code == Code::kConv) put_window(bytes, op);
  if (op.groups != 1) put_number(bytes, op.groups);
  put_floats(bytes, op.bias);
  write_weights(bytes, op.weights);
}

void put_op(Bytes& bytes, const Op& op, const std::vector<Shape>& values) {
  put_u8(bytes, static_cast<std::uint8_t>(op.code));
  if (op.code == Code::kConcat) put_number(bytes, op.inputs.size());
  for (const std::uint32_t input : op.inputs) put_number(bytes, input);
  if (flags_of(op.code) != 0) put_u8(bytes, static_cast<std::uint8_t>(flags_from(op)));
  switch (op.code) {
    case Code::kConv:
    case Code::kLinear: put_layer(bytes, op); break;
    case Code::kMaxPool:
    case Code::kAvgPool: put_window(bytes, op); break;
    case Code::kAffine:
      put_floats(bytes, op.scale);
      put_floats(bytes, op.shift);
      break;
    case Code::kPad:
      put_pads(bytes, op.window);
      put_u32(bytes, bits_of(op.pad_value));
      break;
    case Code::kReshape: put_shape(bytes, values[op.output]); break;
    case Code::kAdd:
    case Code::kMul:
    case Code::kAct:
    case Code::kGlobalAvg:
    case Code::kGlobalMax:
    case Code::kConcat: break;
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
  put_number(bytes, plan.metadata.size());
  bytes.insert(bytes.end(), plan.metadata.begin(), plan.metadata.end());
  put_shape(bytes, plan.values[0]);
  put_number(bytes, plan.ops.size());
  put_number(bytes, plan.outputs[0]);
  for (const Op& op : plan.ops) put_op(bytes, op, plan.values);
  seal(&bytes);
  return bytes;
}

}  // namespace ticket::runtime
