#include "runtime/plan/rice.h"

#include <numeric>

#include "runtime/plan/refuse.h"

namespace ticket::runtime {
namespace {

// An IEEE half: exact in fp32.
float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half & 0x8000u} << 16;
  const std::uint32_t exponent = (half >> 10) & 31u;
  std::uint32_t fraction = half & 0x3ffu;
  if (exponent == 31) return float_of(sign | 0x7f800000u | (fraction << 13));
  if (exponent != 0) return float_of(sign | ((exponent + 112) << 23) | (fraction << 13));
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;  // subnormal, or zero
  return float_of(sign | bits_of(magnitude));
}

// The stream's bits from the lowest of the first byte on.
class Bits {
 public:
  Bits(const std::uint8_t* bytes, std::size_t size) : reader_{bytes, bytes + size} {}

  // Counts the zeros before the next one and takes that one.  False when there is none.
  bool unary(std::uint64_t* zeros) {
    *zeros = 0;
    if (bits_ == 0) {
      do {
        *zeros += have_;
        bits_ = have_ = 0;
        if (!refill()) return false;
      } while (bits_ == 0);
    }
    const unsigned count = static_cast<unsigned>(__builtin_ctzll(bits_));
    *zeros += count;
    drop(count + 1);
    return true;
  }

  // The next `count` <= 24 bits.  False when there are not so many.
  bool low(unsigned count, std::uint64_t* value) {
    if (have_ < count) refill();
    if (have_ < count) return false;
    *value = bits_ & ((std::uint64_t{1} << count) - 1);
    drop(count);
    return true;
  }

  // Whether what is left is less than a byte, and zero.
  bool ends() const { return reader_.left() == 0 && have_ < 8 && bits_ == 0; }

 private:
  // count <= have_.  In two steps: a shift by 64 is undefined, and count may be 64.
  void drop(unsigned count) {
    if (count > 0) bits_ = (bits_ >> (count - 1)) >> 1;
    have_ -= count;
  }

  // Whole bytes, as many as fit; false when there are none.
  bool refill() {
    if (reader_.left() == 0) return false;
    if (have_ == 0 && reader_.left() >= 8) {
      bits_ = reader_.u64();
      have_ = 64;
      return true;
    }
    for (; have_ <= 56 && reader_.left() > 0; have_ += 8) {
      bits_ |= std::uint64_t{reader_.u8()} << have_;
    }
    return true;
  }

  Reader reader_;
  std::uint64_t bits_ = 0;  // above `have_` they are zero
  unsigned have_ = 0;
};

bool read_positions(Bits bits, unsigned k, std::int64_t total, std::uint64_t count,
                    std::vector<std::int64_t>* positions, std::string* why) {
  positions->reserve(static_cast<std::size_t>(count));
  std::int64_t next = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    if (!bits.unary(&high) || !bits.low(k, &low)) {
      *why = "the stream of positions ends before the last nonzero";
      return false;
    }
    const auto room = static_cast<std::uint64_t>(total - next);
    // high << k could overflow before it is compared.
    if (high > room >> k || (high << k | low) >= room) {
      *why = "a nonzero lies outside the weights";
      return false;
    }
    next += static_cast<std::int64_t>(high << k | low);
    positions->push_back(next++);
  }
  if (!bits.ends()) {
    *why = "the stream of positions goes on after the last nonzero";
    return false;
  }
  return true;
}

}  // namespace

bool read_weights(Reader& reader, std::int64_t total, Weights* weights, std::string* why) {
  const std::uint8_t form = reader.u8();
  const unsigned type = form & 3u;
  const unsigned k = form >> 2;
  const std::uint64_t count = reader.number(~std::uint64_t{0});
  const bool full = count == static_cast<std::uint64_t>(total);
  const std::uint64_t stream_size = full ? 0 : reader.number(~std::uint64_t{0});
  const std::uint8_t* const stream = reader.take(stream_size);
  if (reader.failed) return refuse(why, "the plan ends inside the weights");
  if (type > 2) return refuse(why, "unknown type of values 3, not 0, 1 or 2");
  if (k > (full ? 0 : kLargestRice)) {
    return refuse(why, "Rice parameter " + std::to_string(k) +
                           (full ? " of weights without zeros" : ", above 24"));
  }
  const std::uint64_t value_size = type == 0 ? 4 : 2;
  if (count > static_cast<std::uint64_t>(total) || count > reader.left() / value_size ||
      (!full && count > stream_size * 8 / (k + 1))) {
    return refuse(why, std::to_string(count) + " nonzeros, more than the layer or the file holds");
  }
  const std::uint8_t* value = reader.take(count * value_size);
  weights->total = total;
  if (full) {
    weights->positions.resize(static_cast<std::size_t>(count));
    std::iota(weights->positions.begin(), weights->positions.end(), std::int64_t{0});
  } else if (!read_positions(Bits(stream, static_cast<std::size_t>(stream_size)), k, total, count,
                             &weights->positions, why)) {
    return false;
  }
  weights->values.resize(static_cast<std::size_t>(count));
  for (float& out : weights->values) {
    if (type == 0) out = float_of(load<std::uint32_t>(value));
    if (type == 1) out = half_to_float(load<std::uint16_t>(value));
    if (type == 2) out = float_of(std::uint32_t{load<std::uint16_t>(value)} << 16);
    value += value_size;
  }
  return true;
}

}  // namespace ticket::runtime
