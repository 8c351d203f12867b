// How a tensor lies in the arena, in vectors of 16 floats.
#pragma once

#include <cstdint>

#include "runtime/plan/plan.h"
#include "runtime/records.h"

namespace ticket::runtime {

// Vectors around an image that its readers may read.
struct Halo {
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;

  bool none() const { return top + left + bottom + right == 0; }
};

struct Geometry {
  Layout layout = Layout::kBatch;
  Shape shape;
  std::int64_t rows = 0, cols = 0;   // of one channel, without the halo
  Halo halo;
  std::int64_t pitch = 0, plane = 0;  // from row to row, from channel to channel
  std::int64_t origin = 0;            // of the image's first vector
  std::int64_t size = 0;              // of the whole
};

// Lanes are images.  The halo is zeros, so that rows share theirs: what is right of a row is left
// of the next one, and what is below a channel is above the next one.
Geometry batch_geometry(const Shape& shape, const Halo& halo);

// Lanes are images, `groups` rows of sixteen of them: an element of the shape is a channel of one
// column.  Has no halo, and reshaped values lie as they did.
Geometry wide_geometry(const Shape& shape, std::int64_t groups);

// Lanes are the blocks of rows x cols that 4 x 4 of cover the image.
Geometry blocks_geometry(const Shape& shape, std::int64_t rows, std::int64_t cols,
                         std::int64_t halo);

// Of the image, where this is of its half in blocks.
Geometry doubled(const Geometry& half);

// One image, row-major.
Geometry plain_geometry(const Shape& shape);

// Where a tensor of this geometry lies whose memory begins at vector `at`.
Place place_of(const Geometry& geometry, std::int64_t at);

// Whether one tensor may overwrite the other, vector by vector.
bool same_places(const Geometry& a, const Geometry& b);

// One axis of a window: output o reads input o * stride + shift, shift = k * dilation - pad.
struct Axis {
  std::int64_t kernel, stride, dilation, pad, in, out;

  std::int64_t shift(std::int64_t k) const { return k * dilation - pad; }

  // Whether the shift can meet the input at all; other taps only read padding.
  bool is_useful(std::int64_t shift) const { return shift >= -(out - 1) * stride && shift < in; }
};

// The window with a stride of 1 where there is one output and a dilation of 1 where there is one
// tap: what means nothing may be any number in a file.
Window tidy(Window window, const Shape& out);

Axis axis_down(const Window& window, const Shape& in, const Shape& out);
Axis axis_across(const Window& window, const Shape& in, const Shape& out);

// How far useful taps reach out of 0..in_size - 1 when outputs 0..out_size - 1 are made, where
// the sizes are the image's or a block's.
struct Reach {
  std::int64_t before = 0;
  std::int64_t after = 0;
};
Reach reach_of(const Axis& axis, std::int64_t in_size, std::int64_t out_size);

}  // namespace ticket::runtime
