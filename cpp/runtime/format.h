// The header of a plan: magic with the version, length of the whole, checksum of what follows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ticket::runtime {

constexpr char kMagic[] = "TKTPLAN";  // seven bytes; the eighth is the version
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kLengthAt = 8;
constexpr std::size_t kCrcAt = 16;
constexpr std::size_t kHeaderSize = 20;

// Whether the first `got` bytes of a file of `size` bytes begin a plan of that length.
bool check_header(const std::uint8_t* header, std::size_t got, std::uint64_t size,
                  std::string* why);

// Writes the length and the checksum into the header of these bytes, at least kHeaderSize.
void seal(std::vector<std::uint8_t>* plan);

}  // namespace ticket::runtime
