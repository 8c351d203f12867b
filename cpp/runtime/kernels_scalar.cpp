// The executor's kernels in plain loops over 16 lanes: the reference, and all there is on CPUs
// other than x86-64.
#include <array>
#include <cstddef>
#include <utility>

#include "runtime/lane_kernels.h"

namespace ticket::runtime {
namespace {

struct Lanes {
  float of[kLanes];
};

constexpr int kTile = 2;
constexpr int kDenseTile = 1;

bool supported() { return true; }

inline Lanes load(const float* from) {
  Lanes lanes;
  for (int i = 0; i < kLanes; ++i) lanes.of[i] = from[i];
  return lanes;
}

inline void store(float* to, Lanes lanes) {
  for (int i = 0; i < kLanes; ++i) to[i] = lanes.of[i];
}

inline Lanes same(float value) {
  Lanes lanes;
  for (float& lane : lanes.of) lane = value;
  return lanes;
}

inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) {
  for (int i = 0; i < kLanes; ++i) c.of[i] += a.of[i] * b.of[i];
  return c;
}

inline Lanes plus(Lanes a, Lanes b) {
  for (int i = 0; i < kLanes; ++i) a.of[i] += b.of[i];
  return a;
}

inline Lanes times(Lanes a, Lanes b) {
  for (int i = 0; i < kLanes; ++i) a.of[i] *= b.of[i];
  return a;
}

// The comparisons are false for NaN, which so stays.
inline Lanes relu(Lanes a) {
  for (float& lane : a.of) lane = lane < 0.0f ? 0.0f : lane;
  return a;
}

inline Lanes relu6(Lanes a) {
  a = relu(a);
  for (float& lane : a.of) lane = lane > 6.0f ? 6.0f : lane;
  return a;
}

inline Lanes larger(Lanes a, Lanes b) {
  for (int i = 0; i < kLanes; ++i) {
    const bool keep = a.of[i] >= b.of[i] || a.of[i] != a.of[i];
    a.of[i] = keep ? a.of[i] : b.of[i];
  }
  return a;
}

inline Lanes masked(Lanes a, const std::int32_t* mask) {
  for (int i = 0; i < kLanes; ++i) a.of[i] = mask[i] != 0 ? a.of[i] : 0.0f;
  return a;
}

// Lane 4 * by + bx gets what lane 4 * (by + down) + bx + right has, or 0 beyond the border.
inline Lanes shifted(Lanes a, int down, int right) {
  Lanes result;
  for (int i = 0; i < kLanes; ++i) {
    const int by = i / kBlocks + down;
    const int bx = i % kBlocks + right;
    const bool is_inside = by >= 0 && by < kBlocks && bx >= 0 && bx < kBlocks;
    result.of[i] = is_inside ? a.of[by * kBlocks + bx] : 0.0f;
  }
  return result;
}

inline Lanes from_left(Lanes a) { return shifted(a, 0, -1); }
inline Lanes from_right(Lanes a) { return shifted(a, 0, 1); }
inline Lanes from_above(Lanes a) { return shifted(a, -1, 0); }
inline Lanes from_below(Lanes a) { return shifted(a, 1, 0); }

inline float total(Lanes a) {
  float sum = 0.0f;
  for (const float lane : a.of) sum += lane;
  return sum;
}

// A function's own begin and end would cost a tile of few taps more than its sums.
#ifndef TICKET_INLINE
#define TICKET_INLINE __attribute__((always_inline)) inline
#endif
#include "runtime/tile_body.inl"
#include "runtime/conv_body.inl"
#include "runtime/runs_body.inl"
#include "runtime/dense_body.inl"
#include "runtime/winograd_body.inl"
#include "runtime/image_body.inl"
#include "runtime/plain_body.inl"
#include "runtime/pass_body.inl"

}  // namespace

const LaneKernels lanes_scalar{
    "scalar", supported, Costs{}, kTile, kDenseTile,
    conv, border_conv, shift_conv, dense_conv,
    winograd_enter, winograd_leave, pool, mean_blocks, elementwise, plain_linear, plain_dense,
    {}, nullptr, edges, interleave, separate,
};

}  // namespace ticket::runtime
