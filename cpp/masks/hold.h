// Setting pruned weights to +0.0 over many tensors.
#pragma once

#include <vector>

#include "../kernels/kernels.h"
#include "segments.h"

namespace ticket {

using HeldSegment = Segment<float, const std::uint8_t>;

// values[i] = mask[i] != 0 ? values[i] : +0.0 in every segment.
void hold(const Kernels& kernels, const std::vector<HeldSegment>& segments, int threads);

}  // namespace ticket
