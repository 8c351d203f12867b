// Nearly dense 3 x 3 convolutions with fewer products: Winograd's minimal filtering,
// F(4 x 4, 3 x 3) (Winograd 1980; Lavin and Gray, arXiv 1509.09308, section 4).
//
// A tile of 4 x 4 outputs and the 6 x 6 inputs that make it are polynomials in two variables; at
// 36 pairs of points their product is 36 products of numbers.  So a tile takes 36 multiply-adds for
// each pair of channels and not 144, but what zeros among the weights save is lost: it pays where
// more than a quarter of them (64 channels and more) to two fifths (16 channels) are kept.  The
// points 0, 3/4, -3/4, 3/2, -3/2 and infinity keep rounding errors three times as large as those of
// plain sums; with 1, -1, 2, -2 they are fifteen times as large.  A NaN or infinity among the
// inputs reaches the whole tile.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/lanes/costs.h"
#include "runtime/pack/geometry.h"
#include "runtime/plan/plan.h"

namespace ticket::runtime {

// What it takes for a vector of each output channel.
double winograd_cycles(const Op& op, const Costs& costs);

// How many tiles at once: their 36 vectors a channel stay in L2.
std::int32_t winograd_tiles(const Op& op, std::int64_t rows, std::int64_t cols);

std::size_t winograd_bytes(const Op& op);

// The weights at the points: [out / 8][36][in][8], zeros behind the last channel.
std::vector<float> winograd_weights(const Op& op);

}  // namespace ticket::runtime
