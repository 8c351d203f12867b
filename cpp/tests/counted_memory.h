// Counts what new and malloc have given out to the objects of this program (not to its libraries).
#pragma once

#include <cstddef>

namespace ticket {

// Begins to look for a new peak.
void reset_peak();

// The most bytes held at once since reset_peak, above what was held then.
std::size_t peak_bytes();

}  // namespace ticket
