// One pass over a program's steps; what only moves floats is done here, for every CPU alike.
#include "runtime/run/steps.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "runtime/run/passes.h"

namespace ticket::runtime {
namespace {

struct Run {
  const LaneKernels& kernels;
  float* arena;
};

void copy(const Run& run, const CopyStep& step) {
  for (std::int32_t c = 0; c < step.channels; ++c) {
    for (std::int32_t y = 0; y < step.rows; ++y) {
      std::memcpy(run.arena + step.out.at + c * step.out.plane + y * step.out.row,
                  run.arena + step.in.at + c * step.in.plane + y * step.in.row,
                  static_cast<std::size_t>(step.cols) * sizeof(float));
    }
  }
  run.kernels.edges(step.edges, step.out, step.channels, run.arena);
}

void fill(const Run& run, const CopyStep& step) {
  for (std::int32_t c = 0; c < step.channels; ++c) {
    for (std::int32_t y = 0; y < step.rows; ++y) {
      std::fill_n(run.arena + step.out.at + c * step.out.plane + y * step.out.row, step.cols,
                  step.value);
    }
  }
}

std::int64_t vector_at(const Place& place, std::int32_t rows, std::int32_t cols, std::int64_t i) {
  const std::int64_t row = i / cols;
  return place.at + row / rows * place.plane + row % rows * place.row + i % cols * kLanes;
}

void reorder(const Run& run, const ReorderStep& step) {
  for (std::int64_t i = 0; i < step.size; ++i) {
    std::memcpy(run.arena + vector_at(step.out, step.out_rows, step.out_cols, i),
                run.arena + vector_at(step.in, step.in_rows, step.in_cols, i),
                kLanes * sizeof(float));
  }
}

// Along one axis, the taps of an output's window that lie inside: first..end - 1, the first one
// at `at`; and how many count for a mean.
struct Span {
  std::int64_t first, end, at, counted;

  Span(std::int64_t from, std::int64_t kernel, std::int64_t dilation, std::int64_t size,
       std::int64_t pad_end, bool counts_pad)
      : first(taps_before(-from, kernel, dilation)),
        end(std::max(first, taps_before(size - from, kernel, dilation))),
        at(from + first * dilation),
        counted(counts_pad ? std::min(from + kernel, size + pad_end) - from : end - first) {}

  static std::int64_t taps_before(std::int64_t distance, std::int64_t kernel,
                                  std::int64_t dilation) {
    return distance <= 0 ? 0 : std::min(kernel, (distance + dilation - 1) / dilation);
  }
};

template <bool kMax>
float pooled(const PoolStep& step, const float* plane, const Span& down, const Span& across) {
  float result = kMax ? -std::numeric_limits<float>::infinity() : 0.0f;
  bool is_number = true;  // which, kept apart, needs no branch that nobody could foresee
  for (std::int64_t y = 0; y < down.end - down.first; ++y) {
    const float* const row =
        plane + (down.at + y * step.window.dilation_h) * step.in.row + across.at;
    for (std::int64_t x = 0; x < across.end - across.first; ++x) {
      const float value = row[x * step.window.dilation_w];
      result = !kMax ? result + value : result > value ? result : value;
      is_number &= value == value;
    }
  }
  if (kMax) return is_number ? result : std::numeric_limits<float>::quiet_NaN();
  const std::int64_t count = down.counted * across.counted;
  return count > 0 ? result / static_cast<float>(count) : 0.0f;
}

// Of plain values: a few outputs a channel.
template <bool kMax>
void plain_pool(const Run& run, const PoolStep& step) {
  const Window& w = step.window;
  const bool counts_pad = step.count_pad != 0;
  float* out = run.arena + step.out.at;
  for (std::int32_t y = 0; y < step.rows; ++y) {
    const Span down(std::int64_t{y} * w.stride_h - w.pad_top, w.kernel_h, w.dilation_h,
                    step.in_rows, w.pad_bottom, counts_pad);
    for (std::int32_t x = 0; x < step.cols; ++x, ++out) {
      const Span across(std::int64_t{x} * w.stride_w - w.pad_left, w.kernel_w, w.dilation_w,
                        step.in_cols, w.pad_right, counts_pad);
      for (std::int32_t c = 0; c < step.channels; ++c) {
        out[std::int64_t{c} * step.rows * step.cols] =
            pooled<kMax>(step, run.arena + step.in.at + c * step.in.plane, down, across);
      }
    }
  }
}

}  // namespace

void run_step(const Program& program, std::int64_t number, const Share& given,
              const LaneKernels& kernels, const void* block, float* arena, const Images& images) {
  const Run run{kernels, arena};
  const Step& step = inside<Step>(block, program.steps)[number];
  const std::int64_t at = step.record;
  if (given.part != 0 && step.shared == 0) return;
  const Share share = step.shared != 0 ? given : Share{};
  switch (step.kind) {
    case Kind::kConv: return kernels.conv(*inside<ConvStep>(block, at), share, block, arena);
    case Kind::kBorderConv:
      return kernels.border_conv(*inside<ConvStep>(block, at), share, block, arena);
    case Kind::kShiftConv:
      return kernels.shift_conv(*inside<ConvStep>(block, at), share, block, arena);
    case Kind::kDenseConv:
      return kernels.dense_conv(*inside<ConvStep>(block, at), share, block, arena);
    case Kind::kWinogradEnter:
      return kernels.winograd_enter(*inside<WinogradStep>(block, at), share, arena);
    case Kind::kWinogradLeave:
      return kernels.winograd_leave(*inside<WinogradStep>(block, at), share, block, arena);
    case Kind::kColumns:
      return kernels.columns(*inside<ColumnsStep>(block, at), share, block, arena);
    case Kind::kColumnConv:
      return kernels.column_conv(*inside<ColumnsStep>(block, at), share, block, arena);
    case Kind::kPool: return kernels.pool(*inside<PoolStep>(block, at), share, arena);
    case Kind::kEnter: return enter(*inside<PassStep>(block, at), kernels, arena, images);
    case Kind::kLeave: return leave(*inside<PassStep>(block, at), kernels, arena, images);
    case Kind::kMeanBlocks: return kernels.mean_blocks(*inside<MeanStep>(block, at), arena);
    case Kind::kPlainPool: {
      const auto& pool = *inside<PoolStep>(block, at);
      return pool.max != 0 ? plain_pool<true>(run, pool) : plain_pool<false>(run, pool);
    }
    case Kind::kElementwise:
      return kernels.elementwise(*inside<ElementwiseStep>(block, at), block, arena);
    case Kind::kCopy: return copy(run, *inside<CopyStep>(block, at));
    case Kind::kFill: return fill(run, *inside<CopyStep>(block, at));
    case Kind::kReorder: return reorder(run, *inside<ReorderStep>(block, at));
    case Kind::kPlainLinear:
      return kernels.plain_linear(*inside<PlainStep>(block, at), block, arena);
    case Kind::kLookup: return kernels.lookup(*inside<LookupStep>(block, at), block, arena);
    case Kind::kPlainDense: return kernels.plain_dense(*inside<PlainStep>(block, at), block, arena);
    case Kind::kSeamOut:
    case Kind::kSeamIn: return;  // the team's
  }
}

void run_steps(const Program& program, const LaneKernels& kernels, const void* block, float* arena,
               const Images& images) {
  for (std::int64_t i = 0; i < program.step_count; ++i) {
    run_step(program, i, {}, kernels, block, arena, images);
  }
}

}  // namespace ticket::runtime
