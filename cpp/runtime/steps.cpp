// One pass over a program's steps; what only moves floats is done here, for every CPU alike.
#include "runtime/steps.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace ticket::runtime {
namespace {

struct Run {
  const LaneKernels& kernels;
  const void* block;
  float* arena;
  const Images& images;
};

// The ends of the sixteen rows that one row of vectors holds.
template <typename Float>
struct RowEnds {
  Float* rows[kLanes];
  std::int32_t lengths[kLanes];
};

// Row y of the first channel of each image, or of each block of one image.
template <typename Float>
RowEnds<Float> row_ends(const PassStep& step, Float* first, std::int64_t stride, int count,
                        std::int32_t y) {
  RowEnds<Float> ends;
  for (int lane = 0; lane < kLanes; ++lane) {
    ends.rows[lane] = first;
    ends.lengths[lane] = 0;
    if (step.layout == Layout::kBatch) {
      if (lane >= count) continue;
      ends.rows[lane] = first + lane * stride + std::int64_t{y} * step.width;
      ends.lengths[lane] = step.width;
      continue;
    }
    const std::int32_t row = lane / kBlocks * step.edges.rows + y;
    const std::int32_t col = lane % kBlocks * step.edges.cols;
    if (row >= step.height || col >= step.width) continue;
    ends.rows[lane] = first + std::int64_t{row} * step.width + col;
    ends.lengths[lane] = std::min(step.edges.cols, step.width - col);
  }
  return ends;
}

template <typename Float>
void next_channel(const PassStep& step, RowEnds<Float>* ends) {
  const std::int64_t plane = std::int64_t{step.height} * step.width;
  for (int lane = 0; lane < kLanes; ++lane) {
    if (ends->lengths[lane] > 0) ends->rows[lane] += plane;
  }
}

struct Extent {
  std::int32_t rows, cols;
};

Extent extent_of(const PassStep& step) {
  if (step.layout == Layout::kBlocks) return {step.edges.rows, step.edges.cols};
  return {step.height, step.width};
}

// Where vector (c, y, x) of staged blocks lies in an image's floats.
std::int64_t staged_at(const PassStep& step, std::int32_t c, std::int32_t y, std::int32_t x) {
  return ((std::int64_t{c} * step.edges.rows + y) * step.edges.cols + x) * kLanes;
}

// Sixteen images' vectors become the sixteen pixels of their blocks.
void enter_staged(const Run& run, const PassStep& step) {
  alignas(64) float square[kLanes * kLanes];
  std::int32_t lengths[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) lengths[lane] = lane < run.images.count ? kLanes : 0;
  for (std::int32_t c = 0; c < step.channels; ++c) {
    for (std::int32_t y = 0; y < step.edges.rows; ++y) {
      for (std::int32_t x = 0; x < step.edges.cols; ++x) {
        const float* rows[kLanes];
        for (int lane = 0; lane < kLanes; ++lane) {
          const int image = lane < run.images.count ? lane : 0;
          rows[lane] = run.images.input + image * run.images.input_size + staged_at(step, c, y, x);
        }
        run.kernels.interleave(rows, lengths, kLanes, square);
        for (int block = 0; block < kLanes; ++block) {
          const std::int32_t row = block / kBlocks * step.edges.rows + y;
          const std::int32_t col = block % kBlocks * step.edges.cols + x;
          if (row >= step.height || col >= step.width) continue;
          std::memcpy(run.arena + step.place.at + c * step.place.plane + row * step.place.row +
                          std::int64_t{col} * kLanes,
                      square + block * kLanes, kLanes * sizeof(float));
        }
      }
    }
  }
}

void leave_staged(const Run& run, const PassStep& step) {
  const std::size_t bytes = static_cast<std::size_t>(step.edges.cols) * kLanes * sizeof(float);
  for (std::int32_t c = 0; c < step.channels; ++c) {
    for (std::int32_t y = 0; y < step.edges.rows; ++y) {
      std::memcpy(run.images.output + staged_at(step, c, y, 0),
                  run.arena + step.place.at + c * step.place.plane + y * step.place.row, bytes);
    }
  }
}

// Below so many columns of a block one float after the other is faster than whole transposes.
constexpr std::int32_t kFewCols = 4;

bool is_narrow(const PassStep& step) {
  return step.layout == Layout::kBlocks && step.edges.cols <= kFewCols;
}

void enter_narrow(const Run& run, const PassStep& step, const float* from) {
  const std::int64_t plane = std::int64_t{step.height} * step.width;
  for (std::int32_t y = 0; y < step.edges.rows; ++y) {
    const auto ends = row_ends<const float>(step, from, 0, 1, y);
    for (std::int32_t c = 0; c < step.channels; ++c) {
      float* const vectors =
          run.arena + step.place.at + c * step.place.plane + y * step.place.row;
      for (int lane = 0; lane < kLanes; ++lane) {
        const float* const row = ends.rows[lane] + c * plane;
        for (std::int32_t x = 0; x < step.edges.cols; ++x) {
          vectors[std::int64_t{x} * kLanes + lane] = x < ends.lengths[lane] ? row[x] : 0.0f;
        }
      }
    }
  }
}

void leave_narrow(const Run& run, const PassStep& step, float* to) {
  const std::int64_t plane = std::int64_t{step.height} * step.width;
  for (std::int32_t y = 0; y < step.edges.rows; ++y) {
    const auto ends = row_ends<float>(step, to, 0, 1, y);
    for (std::int32_t c = 0; c < step.channels; ++c) {
      const float* const vectors =
          run.arena + step.place.at + c * step.place.plane + y * step.place.row;
      for (int lane = 0; lane < kLanes; ++lane) {
        for (std::int32_t x = 0; x < ends.lengths[lane]; ++x) {
          ends.rows[lane][c * plane + x] = vectors[std::int64_t{x} * kLanes + lane];
        }
      }
    }
  }
}

// A tensor without a halo is one long row.
PassStep flattened(const PassStep& step) {
  PassStep flat = step;
  const std::int64_t size = std::int64_t{step.channels} * step.height * step.width;
  if (step.layout != Layout::kBatch || step.place.row != std::int64_t{step.width} * kLanes ||
      step.place.plane != step.place.row * step.height) {
    return flat;
  }
  flat.channels = flat.height = 1;
  flat.width = static_cast<std::int32_t>(size);
  return flat;
}

void enter(const Run& run, const PassStep& given) {
  const float* const from =
      given.outside >= 0 ? run.arena + given.outside : run.images.input;
  if (given.layout == Layout::kPlain) {
    std::memcpy(run.arena + given.place.at, from,
                static_cast<std::size_t>(run.images.input_size) * sizeof(float));
    return;
  }
  if (given.layout == Layout::kBatch && given.edges.rows > 0) return enter_staged(run, given);
  const PassStep step = flattened(given);
  const Extent extent = extent_of(step);
  if (is_narrow(step)) enter_narrow(run, step, from);
  for (std::int32_t y = 0; !is_narrow(step) && y < extent.rows; ++y) {
    auto ends = row_ends<const float>(step, from, run.images.input_size, run.images.count, y);
    for (std::int32_t c = 0; c < step.channels; ++c) {
      run.kernels.interleave(
          ends.rows, ends.lengths, extent.cols,
          run.arena + step.place.at + c * step.place.plane + y * step.place.row);
      next_channel(step, &ends);
    }
  }
  if (step.layout == Layout::kBlocks) {
    Edges halo = step.edges;
    halo.cut = 0;  // short rows were filled with zeros
    run.kernels.edges(halo, step.place, step.channels, run.arena);
  }
}

void leave(const Run& run, const PassStep& given) {
  float* const to = given.outside >= 0 ? run.arena + given.outside : run.images.output;
  if (given.layout == Layout::kPlain) {
    std::memcpy(to, run.arena + given.place.at,
                static_cast<std::size_t>(run.images.output_size) * sizeof(float));
    return;
  }
  if (given.layout == Layout::kBlocks && given.outside < 0) return leave_staged(run, given);
  if (is_narrow(given)) return leave_narrow(run, given, to);
  const PassStep step = flattened(given);
  const Extent extent = extent_of(step);
  for (std::int32_t y = 0; y < extent.rows; ++y) {
    auto ends = row_ends<float>(step, to, run.images.output_size, run.images.count, y);
    for (std::int32_t c = 0; c < step.channels; ++c) {
      run.kernels.separate(
          run.arena + step.place.at + c * step.place.plane + y * step.place.row, ends.lengths,
          extent.cols, ends.rows);
      next_channel(step, &ends);
    }
  }
}

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
  const Run run{kernels, block, arena, images};
  const Step& step = inside<Step>(block, program.steps)[number];
  const std::int64_t at = step.record;
  switch (step.kind) {
    case Kind::kConv: return kernels.conv(*inside<ConvStep>(block, at), share, block, arena);
    case Kind::kBorderConv:
      return kernels.border_conv(*inside<ConvStep>(block, at), share, block, arena);
    case Kind::kShiftConv:
      return kernels.shift_conv(*inside<ConvStep>(block, at), share, block, arena);
    case Kind::kDenseConv:
      return kernels.dense_conv(*inside<ConvStep>(block, at), share, block, arena);
    case Kind::kPool: return kernels.pool(*inside<PoolStep>(block, at), share, arena);
    default: break;
  }
  if (share.part != 0) return;  // the rest takes too short a time to share it
  switch (step.kind) {
    case Kind::kEnter: return enter(run, *inside<PassStep>(block, at));
    case Kind::kLeave: return leave(run, *inside<PassStep>(block, at));
    case Kind::kMeanBlocks: return kernels.mean_blocks(*inside<MeanStep>(block, at), arena);
    case Kind::kPlainPool: return plain_pool(run, *inside<PoolStep>(block, at));
    case Kind::kElementwise:
      return kernels.elementwise(*inside<ElementwiseStep>(block, at), block, arena);
    case Kind::kCopy: return copy(run, *inside<CopyStep>(block, at));
    case Kind::kFill: return fill(run, *inside<CopyStep>(block, at));
    case Kind::kReorder: return reorder(run, *inside<ReorderStep>(block, at));
    case Kind::kPlainLinear:
      return kernels.plain_linear(*inside<PlainStep>(block, at), block, arena);
    case Kind::kPlainDense: return kernels.plain_dense(*inside<PlainStep>(block, at), block, arena);
    default: return;
  }
}

void run_steps(const Program& program, const LaneKernels& kernels, const void* block, float* arena,
               const Images& images) {
  for (std::int64_t i = 0; i < program.step_count; ++i) {
    run_step(program, i, {}, kernels, block, arena, images);
  }
}

}  // namespace ticket::runtime
