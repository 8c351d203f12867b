// The passes of one image in blocks of few columns: one float after the other is faster there than
// whole transposes.
#pragma once

#include "runtime/records.h"

namespace ticket::runtime {

bool is_narrow(const PassStep& step);

// From rows outside into blocks without their halo; zeros where these reach over the image's end.
void enter_narrow(const PassStep& step, float* arena, const float* from);

// And back.
void leave_narrow(const PassStep& step, const float* arena, float* to);

}  // namespace ticket::runtime
