// The checksum of an exported file: it tells accidents, not attacks.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ticket::runtime {

// CRC-32 as zlib computes it (reflected polynomial 0xedb88320).
std::uint32_t crc32(const std::uint8_t* bytes, std::size_t size);

}  // namespace ticket::runtime
