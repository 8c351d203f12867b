// One pass over a program's steps; what only moves floats is done here, for every CPU alike.
#include "runtime/run/steps.h"

#include <algorithm>
#include <cmath>
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

// One output a channel: its window begins at the padding.
void plain_pool(const Run& run, const PoolStep& step) {
  const Window& w = step.window;
  const auto taps_before = [](std::int64_t size, std::int64_t dilation, std::int64_t kernel) {
    return std::min(kernel, (size + dilation - 1) / dilation);
  };
  const std::int64_t top = taps_before(w.pad_top, w.dilation_h, w.kernel_h);
  const std::int64_t left = taps_before(w.pad_left, w.dilation_w, w.kernel_w);
  const std::int64_t bottom =
      taps_before(std::int64_t{w.pad_top} + step.in_rows, w.dilation_h, w.kernel_h);
  const std::int64_t right =
      taps_before(std::int64_t{w.pad_left} + step.in_cols, w.dilation_w, w.kernel_w);
  const std::int64_t count = step.count_pad != 0
                                 ? std::int64_t{w.kernel_h} * w.kernel_w
                                 : std::max<std::int64_t>(0, bottom - top) *
                                       std::max<std::int64_t>(0, right - left);
  for (std::int32_t c = 0; c < step.channels; ++c) {
    float result = step.max != 0 ? -std::numeric_limits<float>::infinity() : 0.0f;
    for (std::int64_t ky = top; ky < bottom; ++ky) {
      for (std::int64_t kx = left; kx < right; ++kx) {
        const float value =
            run.arena[step.in.at + c * step.in.plane +
                      (ky * w.dilation_h - w.pad_top) * step.in.row + kx * w.dilation_w -
                      w.pad_left];
        if (step.max == 0) {
          result += value;
        } else if (value > result || std::isnan(value)) {
          result = value;
        }
      }
    }
    if (step.max == 0) result = count > 0 ? result / static_cast<float>(count) : 0.0f;
    run.arena[step.out.at + c] = result;
  }
}

}  // namespace

void run_step(const Program& program, std::int64_t number, const Share& share,
              const LaneKernels& kernels, const void* block, float* arena, const Images& images) {
  const Run run{kernels, arena};
  const Step& step = inside<Step>(block, program.steps)[number];
  const std::int64_t at = step.record;
  if (share.part != 0 && !is_shared(step.kind)) return;
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
    case Kind::kPool: return kernels.pool(*inside<PoolStep>(block, at), share, arena);
    case Kind::kEnter: return enter(*inside<PassStep>(block, at), kernels, arena, images);
    case Kind::kLeave: return leave(*inside<PassStep>(block, at), kernels, arena, images);
    case Kind::kMeanBlocks: return kernels.mean_blocks(*inside<MeanStep>(block, at), arena);
    case Kind::kPlainPool: return plain_pool(run, *inside<PoolStep>(block, at));
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
