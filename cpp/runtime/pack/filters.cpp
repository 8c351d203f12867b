// Weights in the order in which kernels use them.
#include "runtime/pack/filters.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ticket::runtime {
namespace {

// Where a weight of the row-major array [oc][ic / groups][kh][kw] belongs.
struct Spot {
  std::int64_t out, in, ky, kx;  // `in` counts all input channels
};

struct Spots {
  std::int64_t kernel_w, kernel, in_channels, out_per_group;

  explicit Spots(const Op& op)
      : kernel_w(op.window.kernel_w),
        kernel(std::int64_t{op.window.kernel_h} * op.window.kernel_w),
        in_channels(op.in_channels / op.groups),
        out_per_group(op.out_channels / op.groups) {}

  Spot operator()(std::int64_t position) const {
    const std::int64_t k = position % kernel;
    const std::int64_t channel = position / kernel;
    const std::int64_t out = channel / in_channels;
    return {out, out / out_per_group * in_channels + channel % in_channels, k / kernel_w,
            k % kernel_w};
  }
};

float bias_of(const Op& op, std::int64_t channel) {
  return op.bias.empty() ? 0.0f : op.bias[static_cast<std::size_t>(channel)];
}

// A filter's taps in one block of channels.
struct FilterPart {
  Filter filter;
  std::int64_t block = 0;
  Runs runs;
};

// The parts of all filters, and taps in the order of the weights.
struct FilterParts {
  std::vector<FilterPart> parts;
  std::vector<Tap> taps;
};

FilterPart part_of(const Op& op, std::int64_t channel, std::int64_t block, std::size_t taps) {
  FilterPart part;
  part.filter.taps = static_cast<std::int64_t>(taps);
  part.filter.channel = static_cast<std::int32_t>(channel);
  part.filter.bias = bias_of(op, channel);
  part.filter.first = 0;
  part.filter.last = 0;
  part.block = block;
  return part;
}

// tap_of(spot, &tap): false for a weight that never meets a pixel.
template <typename TapOf>
FilterParts collected(const Op& op, std::int64_t channels_per_block, const TapOf& tap_of) {
  const Spots spots(op);
  FilterParts found;
  std::vector<FilterPart>& parts = found.parts;
  std::size_t next = 0;
  const std::vector<std::int64_t>& positions = op.weights.positions;
  for (std::int64_t channel = 0; channel < op.out_channels; ++channel) {
    const std::size_t begin = parts.size();
    for (; next < positions.size(); ++next) {
      const Spot spot = spots(positions[next]);
      if (spot.out != channel) break;
      Tap tap;
      tap.weight = op.weights.values[next];
      if (!tap_of(spot, &tap)) continue;
      const std::int64_t block = spot.in / channels_per_block;
      if (parts.size() == begin || parts.back().block != block) {
        parts.push_back(part_of(op, channel, block, found.taps.size()));
      }
      found.taps.push_back(tap);
      ++parts.back().filter.count;
    }
    if (parts.size() == begin) parts.push_back(part_of(op, channel, 0, found.taps.size()));
    parts[begin].filter.first = 1;
    parts.back().filter.last = 1;
  }
  return found;
}

// One tap more that changes nothing: the last one in two halves.  A tap of zero would make NaN of
// an infinite input.
void split_last(std::vector<Tap>* taps) {
  taps->back().weight *= 0.5f;
  taps->push_back(taps->back());
}

// Puts each part's taps into the order of their places in the window.  After each place that
// `ends_run` tells, their number is a multiple of `at_once`.
template <typename EndsRun>
void sort_by_place(FilterParts* found, const std::vector<std::uint8_t>& places, std::size_t at_once,
                   const EndsRun& ends_run) {
  std::vector<Tap> sorted;
  sorted.reserve(found->taps.size());
  for (FilterPart& part : found->parts) {
    Filter& filter = part.filter;
    const std::size_t begin = sorted.size();
    for (int place = 0; place < kRuns; ++place) {
      for (std::int64_t i = filter.taps; i < filter.taps + filter.count; ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (places[at] == place) sorted.push_back(found->taps[at]);
      }
      while (ends_run(place) && (sorted.size() - begin) % at_once != 0) split_last(&sorted);
      part.runs.ends[place] = static_cast<std::uint16_t>(sorted.size() - begin);
    }
    filter.taps = static_cast<std::int64_t>(begin);
    filter.count = part.runs.ends[kRuns - 1];
  }
  found->taps = std::move(sorted);
}

// What the CPU foresees of a filter's loops is what the filter before had: so those with equal
// numbers of taps in the window's first row come together, among these those with equal numbers in
// the second, or of taps in all where places do not count.  Before that the first half of the
// channels, which are one thread's of two.
std::array<std::int64_t, 5> order_of(const FilterPart& part, std::int64_t half) {
  return {part.block, part.filter.channel >= half, part.runs.ends[2], part.runs.ends[5],
          part.filter.count};
}

// Puts parts and their taps in the order of use, each part's taps a multiple of `at_once`.
SparseFilters ordered(const Op& op, FilterParts found, Layout layout, std::size_t at_once) {
  const bool shared = layout == Layout::kBlocks;  // of a batch each thread has its own images
  const std::int64_t half = shared ? op.out_channels / 2 : 0;
  const auto before = [half](const FilterPart& a, const FilterPart& b) {
    return order_of(a, half) < order_of(b, half);
  };
  std::stable_sort(found.parts.begin(), found.parts.end(), before);
  SparseFilters result;
  result.taps.reserve(found.taps.size());
  for (const FilterPart& part : found.parts) {
    Filter filter = part.filter;
    const auto from = found.taps.begin() + filter.taps;
    filter.taps = static_cast<std::int64_t>(result.taps.size());
    result.taps.insert(result.taps.end(), from, from + filter.count);
    while ((result.taps.size() - static_cast<std::size_t>(filter.taps)) % at_once != 0) {
      split_last(&result.taps);
    }
    const auto end = static_cast<std::int64_t>(result.taps.size());
    filter.count = static_cast<std::int32_t>(end - filter.taps);
    result.filters.push_back(filter);
    result.runs.push_back(part.runs);
  }
  return result;
}

std::size_t at_once_of(std::int64_t tile) {
  return static_cast<std::size_t>(taps_at_once(tile));
}

struct Shifts {
  Axis down, across;
  std::int64_t row, plane;  // in floats

  Shifts(const Op& op, const Geometry& in, const Shape& out)
      : down(axis_down(op.window, in.shape, out)),
        across(axis_across(op.window, in.shape, out)),
        row(in.pitch * kLanes),
        plane(in.plane * kLanes) {}

  bool is_useful(std::int64_t ky, std::int64_t kx) const {
    return down.is_useful(down.shift(ky)) && across.is_useful(across.shift(kx));
  }

  std::int32_t offset(std::int64_t channel, std::int64_t ky, std::int64_t kx) const {
    return static_cast<std::int32_t>(channel * plane + ky * down.dilation * row +
                                     kx * across.dilation * kLanes);
  }
};

}  // namespace

SparseFilters sparse_filters(const Op& op, const Geometry& in, const Shape& out,
                             std::int64_t channels_per_block, std::int64_t tile) {
  const Shifts shifts(op, in, out);
  const auto tap_of = [&](const Spot& spot, Tap* tap) {
    if (!shifts.is_useful(spot.ky, spot.kx)) return false;
    tap->offset = shifts.offset(spot.in, spot.ky, spot.kx);
    return true;
  };
  return ordered(op, collected(op, channels_per_block, tap_of), in.layout, at_once_of(tile));
}

SparseFilters runs_filters(const Op& op, const Geometry& in, const Shape& out,
                           std::int64_t channels_per_block, std::int64_t tile, bool shifts) {
  const Shifts to(op, in, out);
  std::vector<std::uint8_t> places;
  FilterParts found = collected(op, channels_per_block, [&](const Spot& spot, Tap* tap) {
    if (!to.is_useful(spot.ky, spot.kx)) return false;
    places.push_back(static_cast<std::uint8_t>(spot.ky * to.down.kernel + spot.kx));
    tap->offset = shifts ? static_cast<std::int32_t>(spot.in * to.plane)
                         : to.offset(spot.in, spot.ky, spot.kx);
    return true;
  });
  const auto ends_run = [&](int place) { return shifts || (place + 1) % to.across.kernel == 0; };
  sort_by_place(&found, places, at_once_of(tile), ends_run);
  return ordered(op, std::move(found), in.layout, 1);  // its runs are already
}

SparseFilters plain_filters(const Op& op, const Shape& in, int at_once) {
  const Window w = tidy(op.window, {});
  const auto tap_of = [&](const Spot& spot, Tap* tap) {
    const std::int64_t y = spot.ky * w.dilation_h - w.pad_top;  // of the one output
    const std::int64_t x = spot.kx * w.dilation_w - w.pad_left;
    if (y < 0 || y >= in.height || x < 0 || x >= in.width) return false;
    tap->offset = static_cast<std::int32_t>((spot.in * in.height + y) * in.width + x);
    return true;
  };
  return ordered(op, collected(op, op.in_channels, tap_of), Layout::kPlain,
                 static_cast<std::size_t>(at_once));
}

SparseFilters column_filters(const Op& op, const std::vector<std::int32_t>& sources,
                             std::int64_t channels_per_block) {
  const Spots spots(op);
  const auto tap_of = [&](const Spot& spot, Tap* tap) {
    const std::int64_t place = spot.ky * spots.kernel_w + spot.kx;
    const auto first = sources.begin() + place * kColumn;
    if (std::all_of(first, first + kColumn, [](std::int32_t at) { return at < 0; })) return false;
    tap->offset = static_cast<std::int32_t>((spot.in * spots.kernel + place) * kColumn);
    return true;
  };
  return ordered(op, collected(op, channels_per_block, tap_of), Layout::kBlocks, at_once_of(1));
}

DenseFilters dense_filters(const Op& op, const Geometry& in, const Shape& out) {
  const Shifts shifts(op, in, out);
  const Spots spots(op);
  DenseFilters result;
  // Where in a group's list of offsets each tap is; -1 for a useless one.
  std::vector<std::int32_t> index(static_cast<std::size_t>(spots.in_channels * spots.kernel), -1);
  for (std::int64_t i = 0; i < spots.in_channels * spots.kernel; ++i) {
    const Spot spot = spots(i);
    if (!shifts.is_useful(spot.ky, spot.kx)) continue;
    index[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(result.offsets.size());
    result.offsets.push_back(shifts.offset(spot.in, spot.ky, spot.kx));
  }
  const auto count = static_cast<std::int64_t>(result.offsets.size());
  std::vector<std::int64_t> first_group;  // of each convolution group
  for (std::int64_t g = 0; g < op.groups; ++g) {
    first_group.push_back(static_cast<std::int64_t>(result.groups.size()));
    for (std::int64_t begin = 0; begin < spots.out_per_group; begin += kDenseWidth) {
      DenseGroup group;
      group.weights = static_cast<std::int64_t>(result.groups.size()) * count * kDenseWidth;
      group.base = g * spots.in_channels * shifts.plane;
      group.count = static_cast<std::int32_t>(count);
      group.channel = static_cast<std::int32_t>(g * spots.out_per_group + begin);
      group.width = static_cast<std::int32_t>(
          std::min<std::int64_t>(kDenseWidth, spots.out_per_group - begin));
      for (int k = 0; k < group.width; ++k) group.bias[k] = bias_of(op, group.channel + k);
      result.groups.push_back(group);
    }
  }
  result.weights.resize(result.groups.size() * static_cast<std::size_t>(count) * kDenseWidth);
  for (std::size_t i = 0; i < op.weights.positions.size(); ++i) {
    const std::int64_t position = op.weights.positions[i];
    const std::int64_t in_filter = position % (spots.in_channels * spots.kernel);
    const std::int32_t tap = index[static_cast<std::size_t>(in_filter)];
    if (tap < 0) continue;
    const std::int64_t out_channel = position / (spots.in_channels * spots.kernel);
    const std::int64_t within = out_channel % spots.out_per_group;
    const std::int64_t group =
        first_group[static_cast<std::size_t>(out_channel / spots.out_per_group)] +
        within / kDenseWidth;
    result.weights[static_cast<std::size_t>((group * count + tap) * kDenseWidth +
                                            within % kDenseWidth)] = op.weights.values[i];
  }
  return result;
}

}  // namespace ticket::runtime
