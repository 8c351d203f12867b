// Little-endian fields, read without ever leaving the bytes, and written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace ticket::runtime {

inline float float_of(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline std::uint32_t bits_of(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// Assembled byte by byte, so that neither alignment nor the CPU's byte order matters.
template <typename Unsigned>
Unsigned load(const std::uint8_t* bytes) {
  Unsigned value = 0;
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i) {
    value = static_cast<Unsigned>(value | static_cast<Unsigned>(Unsigned{bytes[i]} << (8 * i)));
  }
  return value;
}

// Reads one field after the other.  Past the end it gives zeros and `failed` stays set, so that a
// group of fields needs one check; a count must be compared with left() before anything is
// reserved for it.
struct Reader {
  const std::uint8_t* at;
  const std::uint8_t* end;
  bool failed = false;

  std::size_t left() const { return static_cast<std::size_t>(end - at); }

  // The next `size` bytes, or null.
  const std::uint8_t* take(std::uint64_t size) {
    if (size > left()) {
      failed = true;
      at = end;
      return nullptr;
    }
    const std::uint8_t* const bytes = at;
    at += size;
    return bytes;
  }

  template <typename Unsigned>
  Unsigned field() {
    const std::uint8_t* const bytes = take(sizeof(Unsigned));
    return bytes == nullptr ? Unsigned{0} : load<Unsigned>(bytes);
  }

  std::uint8_t u8() { return field<std::uint8_t>(); }
  std::uint32_t u32() { return field<std::uint32_t>(); }
  std::uint64_t u64() { return field<std::uint64_t>(); }
  float f32() { return float_of(u32()); }

  // A number of up to `most`: seven bits a byte from the lowest on, the eighth says that more
  // follow.  Only the shortest form is taken, so that equal plans are equal bytes.
  std::uint64_t number(std::uint64_t most) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t byte = u8();
      const std::uint64_t low = byte & 0x7fu;
      if (failed || low > most >> shift || (shift > 0 && byte == 0)) break;
      value |= low << shift;
      if (byte < 0x80) {
        if (value > most) break;
        return value;
      }
    }
    failed = true;
    at = end;
    return 0;
  }

  std::uint32_t small() { return static_cast<std::uint32_t>(number(0xffffffffu)); }

  // `count` floats; no memory is taken unless they are all there.
  std::vector<float> floats(std::uint64_t count) {
    if (count > left() / 4) {
      take(left() + std::uint64_t{1});
      return {};
    }
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = f32();
    return values;
  }
};

template <typename Unsigned>
void put(std::vector<std::uint8_t>& bytes, Unsigned value) {
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i) {
    bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
}

inline void put_u8(std::vector<std::uint8_t>& bytes, std::uint8_t value) { put(bytes, value); }
inline void put_u32(std::vector<std::uint8_t>& bytes, std::uint32_t value) { put(bytes, value); }
inline void put_u64(std::vector<std::uint8_t>& bytes, std::uint64_t value) { put(bytes, value); }

// What Reader::number reads.
inline void put_number(std::vector<std::uint8_t>& bytes, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) {
    bytes.push_back(static_cast<std::uint8_t>((value & 0x7f) | 0x80));
  }
  bytes.push_back(static_cast<std::uint8_t>(value));
}

inline void put_floats(std::vector<std::uint8_t>& bytes, const std::vector<float>& values) {
  for (const float value : values) put_u32(bytes, bits_of(value));
}

}  // namespace ticket::runtime
