// Rows of a sparse product with one vector, sixteen at once, one a lane.
//
// To fetch one float for each weight from anywhere takes a load each.  But two registers hold a
// window of neighbouring floats, 32 with AVX-512 and 16 with AVX2, and one instruction or a few
// take sixteen of them in any order: so a step looks up one tap of each row that has one near
// enough, wherever in the window it lies.  The window's last place is always zero, for rows that
// have none.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/lanes/costs.h"
#include "runtime/pack/filters.h"
#include "runtime/records.h"

namespace ticket::runtime {

struct LookupRows {
  std::vector<LookupGroup> groups;
  std::vector<std::int32_t> windows;  // one a step: where it begins
  std::vector<std::uint8_t> places;   // sixteen a step: which float of the window
  std::vector<float> weights;         // sixteen a step
};

// The rows by sixteens in their order, over an input that has so many floats, padding included;
// all their taps lie in it.  No groups where looking up takes longer than a load a tap.
LookupRows lookup_rows(const SparseFilters& rows, std::int64_t in_size, const Lookups& lookups);

}  // namespace ticket::runtime
