// The rows at the cut of an image in halves, from one half's memory to the other's.
#pragma once

#include "runtime/records.h"

namespace ticket::runtime {

// Puts the rows at the cut of half 0 or 1 into its box.
void seam_out(const SeamStep& step, int half, float* arena);

// Takes the halo of half 0 or 1 at the cut from the box in the other one's arena.
void seam_in(const SeamStep& step, int half, float* arena, const float* other);

}  // namespace ticket::runtime
