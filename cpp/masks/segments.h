// A list of tensors seen as one long row of elements, walked block by block.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace ticket {

// One tensor: its scores (or values) and its mask, of `size` elements each.
template <typename Value, typename Mask>
struct Segment {
  Value* values;
  Mask* mask;
  std::int64_t size;
};

template <typename Value, typename Mask>
std::int64_t total_size(const std::vector<Segment<Value, Mask>>& segments) {
  std::int64_t total = 0;
  for (const auto& segment : segments) total += segment.size;
  return total;
}

// Where thread `part` of `parts` begins; parts are contiguous and in order, so that a tie rule
// by position is a rule by part.
inline std::int64_t part_begin(std::int64_t total, int part, int parts) {
  return total / parts * part + total % parts * part / parts;
}

// Calls visit(block, first) for the elements begin..end-1 in order; block is a Segment of at
// most kBlock elements and first the position of its first element in the whole row.
template <typename Value, typename Mask, typename Visit>
void visit_blocks(const std::vector<Segment<Value, Mask>>& segments, std::int64_t begin,
                  std::int64_t end, const Visit& visit) {
  constexpr std::int64_t kBlock = std::int64_t{1} << 18;  // small beside 32-bit lane counters
  std::int64_t segment_first = 0;
  for (const auto& segment : segments) {
    const std::int64_t from = std::max<std::int64_t>(begin - segment_first, 0);
    const std::int64_t to = std::min(end - segment_first, segment.size);
    for (std::int64_t at = from; at < to; at += kBlock) {
      visit(Segment<Value, Mask>{segment.values + at, segment.mask + at, std::min(kBlock, to - at)},
            segment_first + at);
    }
    segment_first += segment.size;
  }
}

}  // namespace ticket
