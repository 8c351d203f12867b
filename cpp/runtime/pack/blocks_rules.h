// What the program for one image can do in blocks.
#pragma once

#include "runtime/pack/geometry.h"
#include "runtime/plan/plan.h"

namespace ticket::runtime {

// Vectors, and images of one pixel, are plain.
bool is_plain(const Shape& shape);

// Fewer than four pixels a side: its blocks would be mostly empty.
bool is_small(const Shape& shape);

// At most as many pixels as a column has.
bool is_few(const Shape& shape);

// Whether images of few pixels may lie plain (see ColumnsStep): no dense convolution makes one, no
// operation makes a larger image of one or multiplies it by a channel's factor.
bool few_are_plain(const Plan& plan);

bool is_pool(const Op& op);

// The mean over the whole image, under either name.
bool is_mean(const Op& op, const Shape& in);

// Whether the operation has a place in the program; `not_negative`: so are its input's pixels.
bool has_place(const Op& op, const Plan& plan, bool not_negative);

}  // namespace ticket::runtime
