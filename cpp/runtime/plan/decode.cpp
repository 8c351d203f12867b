// The bytes of a plan, checked field by field.
#include <algorithm>
#include <new>

#include "runtime/plan/bytes.h"
#include "runtime/plan/crc32.h"
#include "runtime/plan/format.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/read_op.h"
#include "runtime/plan/refuse.h"
#include "runtime/plan/shapes.h"

namespace ticket::runtime {
namespace {

// Whether the shapes of what op reads agree; appends that of its output to *values.
bool check_op(const Op& op, const Shape& reshaped, std::vector<Shape>* values, std::string* why) {
  Shape made;
  values->push_back(reshaped);  // where output_shape looks for it
  if (!output_shape(op, *values, &made, why)) return false;
  if (product({made.channels, made.height, made.width}, kMostElements) < 1) {
    return refuse(why, "its output has a dimension of zero or more than 2^31 elements");
  }
  if (op.residual != kNone && !same(made, (*values)[op.residual])) {
    return refuse(why, "its output is " + text_of(made) + ", but the residual is " +
                           text_of((*values)[op.residual]));
  }
  values->back() = made;
  return true;
}

// Takes the op's output channels that nothing in the file pays for off *left.
bool pay_channels(const Op& op, std::int64_t* left, std::string* why) {
  const auto paid = static_cast<std::int64_t>(op.bias.size() + op.weights.values.size());
  *left -= std::max<std::int64_t>(0, op.out_channels - paid);
  return *left >= 0 || refuse(why, std::to_string(op.out_channels) + " output channels, most of "
                                   "them without a weight or a bias");
}

// Operation i writes value i + 1; value 0 is the input.
bool read_ops(Reader& reader, std::uint32_t count, Plan* plan, std::string* why) {
  std::int64_t unpaid = kMostUnpaid;
  std::uint64_t inputs = 0;
  // Nothing is reserved for the count: an Op takes many times the bytes of a small one's record.
  for (std::uint32_t i = 0; i < count; ++i) {
    Op op;
    Shape reshaped;
    const std::uint8_t code = reader.u8();
    op.code = static_cast<Code>(code);
    op.output = i + 1;
    std::string reason;
    bool good = code >= 1 && code <= 13;
    if (!good) reason = "unknown operation " + std::to_string(code);
    if (reader.failed) reason = kShort;
    good = good && read_op(reader, plan->values, &op, &reshaped, &reason);
    if (good && reader.failed) good = refuse(&reason, kShort);
    inputs += op.inputs.size();
    if (good && inputs > kMostOps) good = refuse(&reason, "more than 65536 inputs in all");
    good = good && check_op(op, reshaped, &plan->values, &reason) &&
           pay_channels(op, &unpaid, &reason);
    if (!good) {
      const std::string name = code >= 1 && code <= 13 ? name_of(op.code) : "?";
      return refuse(why, "op " + std::to_string(i) + " (" + name + "): " + reason);
    }
    plan->ops.push_back(std::move(op));
  }
  return true;
}

bool read_plan(Reader& reader, Plan* plan, std::string* why) {
  const std::uint32_t length = reader.small();
  const std::uint8_t* const text = reader.take(length);
  if (reader.failed) return refuse(why, kShort);
  plan->metadata.assign(text, text + length);
  Shape input;
  if (!read_shape(reader, &input, why)) return refuse(why, "the input: " + *why);
  plan->values.push_back(input);
  const std::uint32_t count = reader.small();
  const std::uint32_t output = reader.small();
  if (reader.failed) return refuse(why, kShort);
  if (count == 0) return refuse(why, "it has no operations");
  if (count > kMostOps) return refuse(why, std::to_string(count) + " operations, above 65536");
  if (output > count) {
    return refuse(why, "the output is value " + std::to_string(output) + ", which nothing writes");
  }
  plan->inputs = {0};
  plan->outputs = {output};
  if (!read_ops(reader, count, plan, why)) return false;
  return reader.left() == 0 ||
         refuse(why, std::to_string(reader.left()) + " bytes follow the last operation");
}

}  // namespace

bool check_header(const std::uint8_t* header, std::size_t got, std::uint64_t size,
                  std::string* why) {
  if (got < kHeaderSize || !std::equal(kMagic, kMagic + 7, header)) {
    return refuse(why, "not an exported plan: it does not begin with TKTPLAN");
  }
  if (header[7] != kVersion) {
    return refuse(why, "a plan of version " + std::to_string(header[7]) +
                           ", but this library reads version " + std::to_string(kVersion) +
                           "; export it again");
  }
  const auto length = load<std::uint64_t>(header + kLengthAt);
  if (length != size) {
    return refuse(why, "the plan has " + std::to_string(length) + " bytes, but there are " +
                           std::to_string(size) + "; copy it again");
  }
  return true;
}

bool decode(const std::uint8_t* bytes, std::size_t size, Plan* plan, std::string* error) {
  *plan = Plan{};
  if (!check_header(bytes, size, size, error)) return false;
  if (load<std::uint32_t>(bytes + kCrcAt) != crc32(bytes + kHeaderSize, size - kHeaderSize)) {
    return refuse(error, "the plan is damaged: its checksum does not match; copy it again");
  }
  Reader reader{bytes + kHeaderSize, bytes + size};
  try {
    if (read_plan(reader, plan, error)) return true;
  } catch (const std::bad_alloc&) {
    *error = "not enough memory for the plan";
  }
  *plan = Plan{};
  return false;
}

}  // namespace ticket::runtime
