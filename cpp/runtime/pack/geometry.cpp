// How a tensor lies in the arena, in vectors of 16 floats.
#include "runtime/pack/geometry.h"

#include <algorithm>

namespace ticket::runtime {

Geometry batch_geometry(const Shape& shape, const Halo& halo) {
  Geometry g{Layout::kBatch, shape, shape.height, shape.width, halo, 0, 0, 0, 0};
  g.pitch = g.cols + std::max(halo.left, halo.right);
  g.plane = (g.rows + std::max(halo.top, halo.bottom)) * g.pitch;
  g.origin = halo.top * g.pitch + halo.left;
  g.size = g.origin + shape.channels * g.plane;
  return g;
}

Geometry wide_geometry(const Shape& shape, std::int64_t groups) {
  const std::int64_t elements = shape.size();
  const Shape flat{1, static_cast<std::uint32_t>(elements), 1, 1};
  return {Layout::kBatch, flat, groups, 1, {}, elements, 1, 0, groups * elements};
}

Geometry blocks_geometry(const Shape& shape, std::int64_t rows, std::int64_t cols,
                         std::int64_t halo) {
  Geometry g{Layout::kBlocks, shape, rows, cols, {halo, halo, halo, halo}, 0, 0, 0, 0};
  g.pitch = cols + 2 * halo;
  g.plane = (rows + 2 * halo) * g.pitch;
  g.origin = halo * g.pitch + halo;
  g.size = shape.channels * g.plane;
  return g;
}

Geometry doubled(const Geometry& half) {
  Shape shape = half.shape;
  shape.height *= 2;
  return blocks_geometry(shape, 2 * half.rows, half.cols, half.halo.top);
}

Geometry plain_geometry(const Shape& shape) {
  Geometry g{Layout::kPlain, shape, 1, (shape.size() + kLanes - 1) / kLanes, {}, 0, 0, 0, 0};
  g.pitch = g.plane = g.size = g.cols;
  return g;
}

Place place_of(const Geometry& geometry, std::int64_t at) {
  return {(at + geometry.origin) * kLanes, geometry.pitch * kLanes, geometry.plane * kLanes};
}

bool same_places(const Geometry& a, const Geometry& b) {
  return a.layout == b.layout && a.rows == b.rows && a.cols == b.cols && a.pitch == b.pitch &&
         a.plane == b.plane && a.origin == b.origin && a.size == b.size;
}

Window tidy(Window window, const Shape& out) {
  if (out.height == 1) window.stride_h = 1;
  if (out.width == 1) window.stride_w = 1;
  if (window.kernel_h == 1) window.dilation_h = 1;
  if (window.kernel_w == 1) window.dilation_w = 1;
  return window;
}

Axis axis_down(const Window& given, const Shape& in, const Shape& out) {
  const Window window = tidy(given, out);
  return {window.kernel_h, window.stride_h, window.dilation_h,
          window.pad_top,  in.height,       out.height};
}

Axis axis_across(const Window& given, const Shape& in, const Shape& out) {
  const Window window = tidy(given, out);
  return {window.kernel_w, window.stride_w, window.dilation_w,
          window.pad_left, in.width,        out.width};
}

Reach reach_of(const Axis& axis, std::int64_t in_size, std::int64_t out_size) {
  // The first and the last k with a useful shift.
  const std::int64_t least = std::max<std::int64_t>(0, axis.pad - (axis.out - 1) * axis.stride);
  const std::int64_t first = (least + axis.dilation - 1) / axis.dilation;
  const std::int64_t last = std::min(axis.kernel - 1, (axis.in - 1 + axis.pad) / axis.dilation);
  if (first > last) return {};
  const std::int64_t end = axis.shift(last) + (out_size - 1) * axis.stride;
  return {std::max<std::int64_t>(0, -axis.shift(first)),
          std::max<std::int64_t>(0, end - (in_size - 1))};
}

}  // namespace ticket::runtime
