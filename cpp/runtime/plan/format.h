// The header of a plan: magic with the version, length of the whole, checksum of what follows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/plan/plan.h"

namespace ticket::runtime {

constexpr char kMagic[] = "TKTPLAN";  // seven bytes; the eighth is the version
constexpr std::uint8_t kVersion = 2;
constexpr std::size_t kLengthAt = 8;
constexpr std::size_t kCrcAt = 16;
constexpr std::size_t kHeaderSize = 20;

// The byte of an operation that says how it goes on; each has some of these, and no other.
constexpr unsigned kActFlags = 3;       // the activation's number
constexpr unsigned kDenseFlag = 4;      // of a layer: run by a dense kernel
constexpr unsigned kCountPadFlag = 4;   // of kAvgPool
constexpr unsigned kBiasFlag = 8;       // a bias is there
constexpr unsigned kResidualFlag = 16;  // a residual is there
constexpr unsigned kWideFlag = 32;      // the window has more to say than three numbers
constexpr unsigned kGroupsFlag = 64;    // the groups are there: they are not one

// The flags that an operation of this code may have.
unsigned flags_of(Code code);

// Whether a window is one kernel size, one stride and one padding, and no dilation.
bool is_plain(const Window& window);

// Whether the first `got` bytes of a file of `size` bytes begin a plan of that length.
bool check_header(const std::uint8_t* header, std::size_t got, std::uint64_t size,
                  std::string* why);

// Writes the length and the checksum into the header of these bytes, at least kHeaderSize.
void seal(std::vector<std::uint8_t>* plan);

}  // namespace ticket::runtime
