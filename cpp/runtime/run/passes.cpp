// Between the images and vectors, and between layouts: moves of floats, for every CPU alike.
#include "runtime/run/passes.h"

#include <algorithm>
#include <cstring>

#include "runtime/run/narrow.h"

namespace ticket::runtime {
namespace {

struct Pass {
  const LaneKernels& kernels;
  float* arena;
  const Images& images;

  // The first vector of a row of a channel.
  float* row(const Place& place, std::int32_t channel, std::int32_t y) const {
    return arena + place.at + channel * place.plane + y * place.row;
  }
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
  for (int lane = 0; lane < kLanes; ++lane) {
    if (ends->lengths[lane] > 0) ends->rows[lane] += step.apart;
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
void enter_staged(const Pass& pass, const PassStep& step) {
  alignas(64) float square[kLanes * kLanes];
  std::int32_t lengths[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) lengths[lane] = lane < pass.images.count ? kLanes : 0;
  for (std::int32_t c = 0; c < step.channels; ++c) {
    for (std::int32_t y = 0; y < step.edges.rows; ++y) {
      for (std::int32_t x = 0; x < step.edges.cols; ++x) {
        const float* rows[kLanes];
        for (int lane = 0; lane < kLanes; ++lane) {
          const int image = lane < pass.images.count ? lane : 0;
          const float* const first = pass.images.input + image * pass.images.input_size;
          rows[lane] = first + staged_at(step, c, y, x);
        }
        pass.kernels.interleave(rows, lengths, kLanes, square);
        for (int block = 0; block < kLanes; ++block) {
          const std::int32_t row = block / kBlocks * step.edges.rows + y;
          const std::int32_t col = block % kBlocks * step.edges.cols + x;
          if (row >= step.height || col >= step.width) continue;
          std::memcpy(pass.row(step.place, c, row) + std::int64_t{col} * kLanes,
                      square + block * kLanes, kLanes * sizeof(float));
        }
      }
    }
  }
}

void leave_staged(const Pass& pass, const PassStep& step) {
  const std::size_t bytes = static_cast<std::size_t>(step.edges.cols) * kLanes * sizeof(float);
  for (std::int32_t c = 0; c < step.channels; ++c) {
    for (std::int32_t y = 0; y < step.edges.rows; ++y) {
      std::memcpy(pass.images.output + staged_at(step, c, y, 0), pass.row(step.place, c, y), bytes);
    }
  }
}

// Rows of any length, sixteen of them at a time.
void enter_rows(const Pass& pass, const PassStep& step, const float* from) {
  const Extent extent = extent_of(step);
  for (std::int32_t y = 0; y < extent.rows; ++y) {
    auto ends = row_ends<const float>(step, from, pass.images.input_size, pass.images.count, y);
    for (std::int32_t c = 0; c < step.channels; ++c) {
      pass.kernels.interleave(ends.rows, ends.lengths, extent.cols, pass.row(step.place, c, y));
      next_channel(step, &ends);
    }
  }
}

void leave_rows(const Pass& pass, const PassStep& step, float* to) {
  const Extent extent = extent_of(step);
  for (std::int32_t y = 0; y < extent.rows; ++y) {
    auto ends = row_ends<float>(step, to, pass.images.output_size, pass.images.count, y);
    for (std::int32_t c = 0; c < step.channels; ++c) {
      pass.kernels.separate(pass.row(step.place, c, y), ends.lengths, extent.cols, ends.rows);
      next_channel(step, &ends);
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

// A group of sixteen images, and its row as one of as many columns.
struct Group {
  PassStep row;
  Images images;

  Group(const PassStep& step, const Images& all, std::int32_t number) : row(step), images(all) {
    row.place.at += number * step.place.row;
    row.width = step.channels;
    row.channels = row.height = 1;
    const int first = number * kLanes;
    images.count = std::clamp(all.count - first, 0, kLanes);
    if (images.count == 0) return;
    images.input += first * images.input_size;
    images.output += first * images.output_size;
  }
};

}  // namespace

void enter(const PassStep& given, const LaneKernels& kernels, float* arena,
           const Images& images) {
  const Pass pass{kernels, arena, images};
  const float* const from = given.outside >= 0 ? arena + given.outside : images.input;
  if (given.layout == Layout::kPlain) {
    std::memcpy(arena + given.place.at, from,
                static_cast<std::size_t>(images.input_size) * sizeof(float));
    return;
  }
  if (given.staged != 0) return enter_staged(pass, given);
  if (given.groups > 1) {
    for (std::int32_t g = 0; g < given.groups; ++g) {
      const Group group(given, images, g);
      enter_rows({kernels, arena, group.images}, group.row, group.images.input);
    }
    return;
  }
  if (is_narrow(given)) {
    enter_narrow(given, arena, from);
  } else {
    enter_rows(pass, flattened(given), from);
  }
  if (given.layout == Layout::kBlocks) {
    Edges halo = given.edges;
    halo.cut = 0;  // short rows were filled with zeros
    kernels.edges(halo, given.place, given.channels, arena);
  }
}

void leave(const PassStep& given, const LaneKernels& kernels, float* arena,
           const Images& images) {
  const Pass pass{kernels, arena, images};
  float* const to = given.outside >= 0 ? arena + given.outside : images.output;
  if (given.layout == Layout::kPlain) {
    std::memcpy(to, arena + given.place.at,
                static_cast<std::size_t>(images.output_size) * sizeof(float));
    return;
  }
  if (given.staged != 0) return leave_staged(pass, given);
  if (given.groups > 1) {
    for (std::int32_t g = 0; g < given.groups; ++g) {
      const Group group(given, images, g);
      leave_rows({kernels, arena, group.images}, group.row, group.images.output);
    }
    return;
  }
  if (is_narrow(given)) return leave_narrow(given, arena, to);
  leave_rows(pass, flattened(given), to);
}

}  // namespace ticket::runtime
