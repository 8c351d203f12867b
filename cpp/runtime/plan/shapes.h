// The rules of shapes: what an operation makes of its inputs, and when it cannot.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "runtime/plan/plan.h"

namespace ticket::runtime {

// No value, nor an image with its padding, has more elements: 8 GiB of fp32.
constexpr std::int64_t kMostElements = std::int64_t{1} << 31;

// No layer has more weights, zeros included.
constexpr std::int64_t kMostWeights = std::int64_t{1} << 40;

// Output channels without a bias or a weight cost a file nothing, but a run memory for each: a
// plan has no more of them than this, which are some megabytes of steps.  What pruning leaves has
// a bias, or fewer such channels.
constexpr std::int64_t kMostUnpaid = std::int64_t{1} << 13;

// A plan has no more operations, and they no more inputs, than this: a byte of a file could
// otherwise cost a thousand of memory.
constexpr std::uint64_t kMostOps = std::uint64_t{1} << 16;

const char* name_of(Code code);

// "3x32x32", or "10" of a vector.
std::string text_of(const Shape& shape);

bool same(const Shape& a, const Shape& b);

// The product, or -1 if it is above `limit`.
std::int64_t product(std::initializer_list<std::uint64_t> factors, std::int64_t limit);

// The shape that op makes of its inputs, which are in `values`; kReshape makes what its output
// says.  False, with *why, when the inputs do not suit it.
//
// A window of `kernel` makes (size + pads - extent) / stride + 1 positions, rounded down, where
// extent = (kernel - 1) * dilation + 1.  A pool whose size is rounded up says so by larger
// pad_bottom and pad_right; each of its windows begins before the padding at the end.
bool output_shape(const Op& op, const std::vector<Shape>& values, Shape* output, std::string* why);

// How many weights the op's array has, zeros included; -1 if too many.
std::int64_t weight_count(const Op& op);

}  // namespace ticket::runtime
