// A block while it is made: bytes that arrays are added to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "runtime/pages.h"

namespace ticket::runtime {

// Equal blocks have equal hashes, others practically never.
std::uint64_t hash_of(const std::uint8_t* bytes, std::size_t size);

// The block as it grows; every array in it begins at a multiple of 64 bytes.  Large arrays that are
// equal, as of a layer that is in two programs, lie in it once.
struct BlockBytes {
  PackedBytes bytes;
  std::unordered_multimap<std::uint64_t, std::size_t> large = {};  // where they begin

  template <typename T>
  std::int64_t add(const T* items, std::size_t count) {
    return add_bytes(reinterpret_cast<const std::uint8_t*>(items), count * sizeof(T));
  }

  std::int64_t add_bytes(const std::uint8_t* from, std::size_t size);

  template <typename T>
  std::int64_t add(const std::vector<T>& items) {
    return add(items.data(), items.size());
  }
};

}  // namespace ticket::runtime
