// The steps that bring images into vectors and back.
#pragma once

#include "runtime/lanes/lane_kernels.h"
#include "runtime/records.h"
#include "runtime/run/steps.h"

namespace ticket::runtime {

// From the caller's images, or from plain floats in the arena, into vectors.
void enter(const PassStep& step, const LaneKernels& kernels, float* arena, const Images& images);

// And back.
void leave(const PassStep& step, const LaneKernels& kernels, float* arena, const Images& images);

}  // namespace ticket::runtime
