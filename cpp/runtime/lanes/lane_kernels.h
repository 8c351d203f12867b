// The executor's kernels, one table an instruction set: raw pointers, no allocation, no
// exceptions.  Every kernel does a whole step, so that a network is some fifty calls.
//
// Sums may be fused and reordered: results agree to rounding, not bit for bit.  A NaN goes
// through every activation and pool, as in PyTorch.
#pragma once

#include <cstdint>

#include "runtime/lanes/costs.h"
#include "runtime/lanes/inside.h"
#include "runtime/records.h"

// A function's own begin and end would cost a tile of few taps more than its sums.
#ifndef TICKET_INLINE
#define TICKET_INLINE __attribute__((always_inline)) inline
#endif
// What only computes in registers has nothing that a sanitizer could see.
#define TICKET_ARITHMETIC __attribute__((always_inline)) inline

namespace ticket::runtime {

// Which output channels of a step are this call's: `parts` calls make the whole.  Neighbours go
// together, for a CPU brings the line beside the one that it wants, too, and two cores that write
// every other line would take them from each other.
struct Share {
  std::int32_t part = 0;
  std::int32_t parts = 1;

  std::int32_t begin(std::int32_t count) const {
    return static_cast<std::int32_t>(std::int64_t{count} * part / parts);
  }
  std::int32_t end(std::int32_t count) const { return Share{part + 1, parts}.begin(count); }
};

// A range of channels that a filter may belong to.
struct Channels {
  std::int32_t begin, end;

  Channels(const Share& share, std::int32_t count)
      : begin(share.begin(count)), end(share.end(count)) {}
  bool has(std::int32_t channel) const { return channel >= begin && channel < end; }
};

// What of a convolution's step is a share's: rows of its tiles where there are enough for all, or
// output channels.
struct Portion {
  bool by_rows;
  Share rows, channels;

  Portion(const ConvStep& step, const Share& share)
      : by_rows(step.by_rows != 0 && step.regions[0].tiles_down >= share.parts),
        rows(by_rows ? share : Share{}),
        channels(by_rows ? Share{} : share) {}
};

struct LaneKernels {
  const char* name;
  bool (*supported)();
  Costs costs;
  int tile;        // most vectors that a tile of kConv sums up at once
  int dense_tile;  // the same of kDenseConv, for each of its four channels

  void (*conv)(const ConvStep& step, const Share& share, const void* block, float* arena);
  void (*border_conv)(const ConvStep& step, const Share& share, const void* block, float* arena);
  void (*shift_conv)(const ConvStep& step, const Share& share, const void* block, float* arena);
  void (*dense_conv)(const ConvStep& step, const Share& share, const void* block, float* arena);
  void (*winograd_enter)(const WinogradStep& step, const Share& share, float* arena);
  void (*winograd_leave)(const WinogradStep& step, const Share& share, const void* block,
                         float* arena);
  void (*columns)(const ColumnsStep& step, const Share& share, const void* block, float* arena);
  void (*column_conv)(const ColumnsStep& step, const Share& share, const void* block,
                      float* arena);
  void (*pool)(const PoolStep& step, const Share& share, float* arena);
  void (*mean_blocks)(const MeanStep& step, float* arena);
  void (*elementwise)(const ElementwiseStep& step, const void* block, float* arena);
  void (*plain_linear)(const PlainStep& step, const void* block, float* arena);
  void (*plain_dense)(const PlainStep& step, const void* block, float* arena);

  // Null where no instruction looks up; a window has so many floats (see lookups.h).
  Lookups lookups;
  void (*lookup)(const LookupStep& step, const void* block, float* arena);

  // Sets what lies outside the image to zero and writes the halo of `channels` planes.
  void (*edges)(const Edges& edges, const Place& place, std::int32_t channels, float* arena);

  // vectors[x][lane] = rows[lane][x], or 0 from lengths[lane] on; x < count.
  void (*interleave)(const float* const* rows, const std::int32_t* lengths, std::int32_t count,
                     float* vectors);

  // rows[lane][x] = vectors[x][lane] for x < lengths[lane].
  void (*separate)(const float* vectors, const std::int32_t* lengths, std::int32_t count,
                   float* const* rows);
};

extern const LaneKernels lanes_scalar;
#if defined(__x86_64__)
extern const LaneKernels lanes_avx2;
extern const LaneKernels lanes_avx512;
#endif

constexpr int kMostIsas = 3;

// The tables in the order of a block's `isa`, or null beyond the last.
const LaneKernels* lane_kernels(int isa);

// The number of the set called `wanted`, of the best that this CPU runs if it is null or empty;
// -1 if the name is unknown or this CPU cannot run it.
int select_lanes(const char* wanted);

}  // namespace ticket::runtime
