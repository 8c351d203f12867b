// The executor's kernels in vectors of the compiler's own: the reference, and all there is on CPUs
// other than x86-64.
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

#include "runtime/lanes/lane_kernels.h"

namespace ticket::runtime {
namespace {

// They become whatever the CPU has.
typedef float Four __attribute__((vector_size(16)));
typedef std::int32_t FourBits __attribute__((vector_size(16)));
constexpr int kFours = kLanes / 4;

struct Lanes {
  Four of[kFours];
};

constexpr int kTile = 2;
constexpr int kDenseTile = 1;

bool supported() { return true; }

inline Lanes load(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

inline void store(float* to, Lanes lanes) { std::memcpy(to, &lanes, sizeof lanes); }

TICKET_ARITHMETIC Lanes same(float value) {
  Lanes lanes;
  for (Four& four : lanes.of) four = Four{value, value, value, value};
  return lanes;
}

TICKET_ARITHMETIC Lanes multiply_add(Lanes a, Lanes b, Lanes c) {
  for (int i = 0; i < kFours; ++i) c.of[i] += a.of[i] * b.of[i];
  return c;
}

TICKET_ARITHMETIC Lanes plus(Lanes a, Lanes b) {
  for (int i = 0; i < kFours; ++i) a.of[i] += b.of[i];
  return a;
}

TICKET_ARITHMETIC Lanes times(Lanes a, Lanes b) {
  for (int i = 0; i < kFours; ++i) a.of[i] *= b.of[i];
  return a;
}

// The comparisons are false for NaN, which so stays.
inline Lanes relu(Lanes a) {
  for (Four& four : a.of) four = four < 0.0f ? Four{} : four;
  return a;
}

inline Lanes relu6(Lanes a) {
  a = relu(a);
  for (Four& four : a.of) four = four > 6.0f ? Four{} + 6.0f : four;
  return a;
}

inline Lanes larger(Lanes a, Lanes b) {
  for (int i = 0; i < kFours; ++i) {
    const Four& mine = a.of[i];
    a.of[i] = (mine >= b.of[i]) | (mine != mine) ? mine : b.of[i];
  }
  return a;
}

inline Lanes masked(Lanes a, const std::int32_t* mask) {
  for (int i = 0; i < kFours; ++i) {
    FourBits bits;
    std::memcpy(&bits, mask + 4 * i, sizeof bits);
    a.of[i] = bits != 0 ? a.of[i] : Four{};
  }
  return a;
}

// Lane 4 * by + bx gets what lane 4 * (by + down) + bx + right has, or 0 beyond the border.
inline Lanes shifted(Lanes a, int down, int right) {
  Lanes result;
  for (int i = 0; i < kLanes; ++i) {
    const int by = i / kBlocks + down;
    const int bx = i % kBlocks + right;
    const bool is_inside = by >= 0 && by < kBlocks && bx >= 0 && bx < kBlocks;
    result.of[i / 4][i % 4] = is_inside ? a.of[by][bx] : 0.0f;
  }
  return result;
}

inline Lanes from_left(Lanes a) { return shifted(a, 0, -1); }
inline Lanes from_right(Lanes a) { return shifted(a, 0, 1); }
inline Lanes from_above(Lanes a) { return shifted(a, -1, 0); }
inline Lanes from_below(Lanes a) { return shifted(a, 1, 0); }

inline float total(Lanes a) {
  float sum = 0.0f;
  for (int i = 0; i < kLanes; ++i) sum += a.of[i / 4][i % 4];
  return sum;
}

#include "runtime/lanes/tile_body.inl"
#include "runtime/lanes/conv_body.inl"
#include "runtime/lanes/runs_body.inl"
#include "runtime/lanes/dense_body.inl"
#include "runtime/lanes/winograd_body.inl"
#include "runtime/lanes/image_body.inl"
#include "runtime/lanes/plain_body.inl"
#include "runtime/lanes/spread_body.inl"

inline void spread_plane(const float* plane, std::int32_t, const std::int32_t* sources,
                         std::int32_t count, float* to) {
  spread_each(plane, sources, count, to);
}

#include "runtime/lanes/columns_body.inl"
#include "runtime/lanes/pass_body.inl"

}  // namespace

const LaneKernels lanes_scalar{
    "scalar", supported, Costs{}, kTile, kDenseTile,
    conv, border_conv, shift_conv, dense_conv,
    winograd_enter, winograd_leave, columns, column_conv,
    pool, mean_blocks, elementwise, plain_linear, plain_dense,
    {}, nullptr, edges, interleave, separate,
};

}  // namespace ticket::runtime
