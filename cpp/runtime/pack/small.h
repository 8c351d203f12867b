// Convolutions of small images, whose taps go by their place in the window (runs_body.inl).
#pragma once

#include <cstdint>

#include "runtime/pack/geometry.h"
#include "runtime/plan/plan.h"

namespace ticket::runtime {

// The side of the tiles that leave out the padding of this convolution in the batch layout, or 0:
// then it goes as the others do.  A tile may have that many vectors.
std::int64_t border_tile(const Op& op, const Shape& in, const Shape& out, std::int64_t vectors);

// Whether sums are moved instead of halos read, in blocks of rows x cols: wherever it can be done
// if `always`, else where it pays.
bool moves_sums(const Op& op, const Shape& in, const Shape& out, std::int64_t rows,
                std::int64_t cols, bool always);

}  // namespace ticket::runtime
