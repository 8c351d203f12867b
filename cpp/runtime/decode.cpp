// The bytes of a plan, checked field by field.
#include <algorithm>
#include <new>

#include "runtime/bytes.h"
#include "runtime/crc32.h"
#include "runtime/format.h"
#include "runtime/plan.h"
#include "runtime/read_op.h"
#include "runtime/shapes.h"

namespace ticket::runtime {
namespace {

bool refuse(std::string* why, const std::string& reason) {
  *why = reason;
  return false;
}

bool read_values(Reader& reader, std::vector<Shape>* values, std::string* why) {
  const std::uint32_t count = reader.u32();
  if (count > reader.left() / 5) return refuse(why, kShort);  // rank and one dimension: 5 bytes
  values->reserve(count);
  for (std::uint32_t id = 0; id < count; ++id) {
    Shape shape;
    shape.rank = reader.u8();
    shape.channels = reader.u32();
    if (shape.rank == 3) {
      shape.height = reader.u32();
      shape.width = reader.u32();
    }
    if (reader.failed) return refuse(why, kShort);
    if (shape.rank != 1 && shape.rank != 3) {
      return refuse(why, "value " + std::to_string(id) + " has rank " +
                             std::to_string(shape.rank) + ", not 1 or 3");
    }
    if (product({shape.channels, shape.height, shape.width}, kMostElements) < 1) {
      return refuse(why, "value " + std::to_string(id) +
                             " has a dimension of zero or more than 2^31 elements");
    }
    values->push_back(shape);
  }
  return true;
}

// The ids of the plan's inputs or outputs: one, of a value.
bool read_ends(Reader& reader, std::size_t values, const char* name,
               std::vector<std::uint32_t>* ids, std::string* why) {
  const std::uint32_t count = reader.u32();
  const std::uint32_t id = reader.u32();
  if (reader.failed) return refuse(why, kShort);
  if (count != 1 || id >= values) {
    return refuse(why, "the plan must have one " + std::string(name) + " that is a value");
  }
  ids->assign(1, id);
  return true;
}

// Whether the values that op reads are there, its output is not yet, and the shapes agree.
bool check_op(const Op& op, const std::vector<Shape>& values, std::vector<bool>* written,
              std::string* why) {
  const auto readable = [&](std::uint32_t id) {
    return (id < values.size() && (*written)[id]) ||
           refuse(why, "it reads value " + std::to_string(id) + ", which nothing has written");
  };
  if (!std::all_of(op.inputs.begin(), op.inputs.end(), readable)) return false;
  if (op.residual != kNone && !readable(op.residual)) return false;
  if (op.output >= values.size() || (*written)[op.output]) {
    return refuse(why, "it writes value " + std::to_string(op.output) +
                           ", which does not exist or is written already");
  }
  Shape made;
  if (!output_shape(op, values, &made, why)) return false;
  if (!same(made, values[op.output])) {
    return refuse(why, "its output is " + text_of(made) + ", but value " +
                           std::to_string(op.output) + " is " + text_of(values[op.output]));
  }
  if (op.residual != kNone && !same(made, values[op.residual])) {
    return refuse(why, "its output is " + text_of(made) + ", but the residual is " +
                           text_of(values[op.residual]));
  }
  (*written)[op.output] = true;
  return true;
}

// Takes the op's output channels that nothing in the file pays for off *left.
bool pay_channels(const Op& op, std::int64_t* left, std::string* why) {
  const auto paid = static_cast<std::int64_t>(op.bias.size() + op.weights.values.size());
  *left -= std::max<std::int64_t>(0, op.out_channels - paid);
  return *left >= 0 || refuse(why, std::to_string(op.out_channels) + " output channels, most of "
                                   "them without a weight or a bias");
}

bool read_ops(Reader& reader, Plan* plan, std::string* why) {
  std::int64_t unpaid = kMostUnpaid;
  std::vector<bool> written(plan->values.size());
  written[plan->inputs[0]] = true;
  const std::uint32_t count = reader.u32();
  // Nothing is reserved for the count: an Op takes many times the bytes of a small one's record.
  for (std::uint32_t i = 0; i < count; ++i) {
    Op op;
    const std::uint8_t code = reader.u8();
    op.code = static_cast<Code>(code);
    std::string reason;
    bool good = code >= 1 && code <= 13;
    if (!good) reason = "unknown operation " + std::to_string(code);
    if (reader.failed) reason = kShort;
    good = good && read_op(reader, plan->values, &op, &reason);
    if (good && reader.failed) good = refuse(&reason, kShort);
    good = good && check_op(op, plan->values, &written, &reason) &&
           pay_channels(op, &unpaid, &reason);
    if (!good) {
      const std::string name = code >= 1 && code <= 13 ? name_of(op.code) : "?";
      return refuse(why, "op " + std::to_string(i) + " (" + name + "): " + reason);
    }
    plan->ops.push_back(std::move(op));
  }
  const auto missing = std::find(written.begin(), written.end(), false);
  if (missing != written.end()) {
    return refuse(why, "nothing writes value " + std::to_string(missing - written.begin()));
  }
  return true;
}

bool read_plan(Reader& reader, Plan* plan, std::string* why) {
  const std::uint32_t length = reader.u32();
  const std::uint8_t* const text = reader.take(length);
  if (reader.failed) return refuse(why, kShort);
  plan->metadata.assign(text, text + length);
  if (!read_values(reader, &plan->values, why) ||
      !read_ends(reader, plan->values.size(), "input", &plan->inputs, why) ||
      !read_ends(reader, plan->values.size(), "output", &plan->outputs, why) ||
      !read_ops(reader, plan, why)) {
    return false;
  }
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
