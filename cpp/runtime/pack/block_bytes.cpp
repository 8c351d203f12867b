// A block while it is made: bytes that arrays are added to.
#include "runtime/pack/block_bytes.h"

#include <algorithm>
#include <cstring>

namespace ticket::runtime {

// FNV-1a over words.
std::uint64_t hash_of(const std::uint8_t* bytes, std::size_t size) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (std::size_t at = 0; at < size; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + at, std::min<std::size_t>(8, size - at));
    hash = (hash ^ word) * 0x100000001b3u;
    hash ^= hash >> 29;
  }
  return hash;
}

std::int64_t BlockBytes::add_bytes(const std::uint8_t* from, std::size_t size) {
  constexpr std::size_t kLarge = 1024;
  const std::uint64_t hash = size < kLarge ? 0 : hash_of(from, size);
  if (size >= kLarge) {
    const auto equal = large.equal_range(hash);
    for (auto known = equal.first; known != equal.second; ++known) {
      const std::size_t at = known->second;
      if (at + size > bytes.size() || std::memcmp(bytes.data() + at, from, size) != 0) continue;
      return static_cast<std::int64_t>(at);
    }
  }
  const std::size_t at = (bytes.size() + 63) / 64 * 64;
  bytes.resize(at + size);
  if (size > 0) std::memcpy(bytes.data() + at, from, size);
  if (size >= kLarge) large.emplace(hash, at);
  return static_cast<std::int64_t>(at);
}

}  // namespace ticket::runtime
