// Steps for convolutions and linear layers: tiles, order of work, weights.
#include <algorithm>

#include "runtime/pack/emit.h"
#include "runtime/pack/filters.h"
#include "runtime/pack/lookups.h"
#include "runtime/pack/nearness.h"
#include "runtime/pack/sharing.h"
#include "runtime/pack/tiles.h"
#include "runtime/pack/ways.h"
#include "runtime/pack/winograd.h"

namespace ticket::runtime {
namespace {

ConvStep conv_step(Emission& to, const Task& task) {
  const Op& op = *task.op;
  const Geometry& in = to.geometry(task.inputs[0]);
  const Window w = tidy(op.window, to.geometry(task.output).shape);
  ConvStep step;
  step.in = to.place(task.inputs[0]);
  step.in.at -= std::int64_t{w.pad_top} * step.in.row + std::int64_t{w.pad_left} * kLanes;
  step.in_row = w.stride_h * in.pitch * kLanes;
  step.in_col = std::int64_t{w.stride_w} * kLanes;
  step.out = to.place(task.output);
  if (task.residual != kNobody) {
    step.has_residual = 1;
    step.residual = to.place(task.residual);
  }
  step.act = op.act;
  step.out_channels = static_cast<std::int32_t>(op.out_channels);
  step.edges = edges_of(to.geometry(task.output));
  return step;
}

// And a spare one behind them, at which kernels look ahead.
std::int64_t add_taps(Emission& to, SparseFilters& filters) {
  filters.taps.emplace_back();
  return to.block.add(filters.taps);
}

void set_regions(ConvStep& step, const std::vector<Region>& regions) {
  std::copy(regions.begin(), regions.end(), step.regions);
  step.region_count = static_cast<std::int32_t>(regions.size());
}

// Whether threads share the rows of one image's tiles.  Then a thread reads of what others have
// written two rows a channel, and all weights; with shares of the channels half of the input.
bool shared_by_rows(const Op& op, const Geometry& in, const ConvStep& step) {
  const Region& first = step.regions[0];
  const auto as_high = [&](const Region& region) {
    return region.y == 0 && region.tile_rows == first.tile_rows &&
           region.tiles_down == first.tiles_down;
  };
  const bool even = std::all_of(step.regions, step.regions + step.region_count, as_high);
  const bool edges_by_rows =
      step.edges.halo <= 1 && (step.edges.cut == 0 || step.edges_at_tile != 0);
  if (in.layout != Layout::kBlocks || !even || first.tiles_down < 2 || !edges_by_rows) return false;
  const std::int64_t row = std::int64_t{op.in_channels} * in.pitch * kVectorBytes;
  const auto taps = static_cast<std::int64_t>(op.weights.values.size() * sizeof(Tap));
  return 2 * row + taps / 2 < in.size * kVectorBytes / 2;
}

void emit_sparse(Emission& to, const Task& task) {
  const Op& op = *task.op;
  const Geometry& in = to.geometry(task.inputs[0]);
  const Geometry& out = to.geometry(task.output);
  ConvStep step = conv_step(to, task);
  const SparseTiles tiles = sparse_tiles(op, in, out, to.kernels.tile);
  set_regions(step, tiles.regions);
  step.edges_at_tile = out.layout == Layout::kBlocks && step.edges.halo <= 1;
  step.by_rows = shared_by_rows(op, in, step);
  step.step = tiles.step;
  // A half's sums are added in the order of the whole image's.
  const std::int64_t channels =
      to.draft.halved ? sparse_tiles(op, doubled(in), doubled(out), to.kernels.tile).channels
                      : tiles.channels;
  SparseFilters filters =
      sparse_filters(op, in, out.shape, channels, vectors_of(tiles.regions[0]));
  step.filter_count = static_cast<std::int32_t>(filters.filters.size());
  step.filters_at_once = tiles.by_tile ? step.filter_count : 1;
  step.filters = to.block.add(filters.filters);
  step.taps = add_taps(to, filters);
  to.step(Kind::kConv, step);
}

void emit_runs(Emission& to, const Task& task, Kind kind, std::int64_t side) {
  const Op& op = *task.op;
  const Geometry& in = to.geometry(task.inputs[0]);
  const Geometry& out = to.geometry(task.output);
  const bool shifts = kind == Kind::kShiftConv;
  ConvStep step = conv_step(to, task);
  if (shifts) step.in = to.place(task.inputs[0]);
  Region region;
  region.tile_rows = region.tile_cols = static_cast<std::int32_t>(side);
  region.tiles_down = static_cast<std::int32_t>(out.rows / side);
  region.tiles_across = static_cast<std::int32_t>(out.cols / side);
  set_regions(step, {region});
  step.edges_at_tile = shifts && step.edges.halo <= 1;
  // A tile's own rows and those above and below that are not padding, with all columns.
  const std::int64_t rows = std::min(side + 1 + (region.tiles_down > 2), out.rows);
  const std::int64_t cols = std::min(side + 2, in.pitch);
  const std::int64_t channels =
      shifts ? channels_moved_at_once(op, side * side)
             : channels_at_once(op, {1.0 * rows * cols, 1.0 * side * side, 3});
  SparseFilters filters = runs_filters(op, in, out.shape, channels, side * side, shifts);
  step.filter_count = static_cast<std::int32_t>(filters.filters.size());
  step.filters = to.block.add(filters.filters);
  step.taps = add_taps(to, filters);
  step.runs = to.block.add(filters.runs);
  to.step(kind, step);
}

void emit_dense(Emission& to, const Task& task) {
  const Op& op = *task.op;
  const Geometry& out = to.geometry(task.output);
  ConvStep step = conv_step(to, task);
  TileLimits limits;
  limits.vectors = to.kernels.dense_tile;
  limits.taps = taps_a_filter(op);
  set_regions(step, choose_tiles(out.rows, out.cols, limits));
  step.by_rows = shared_by_rows(op, to.geometry(task.inputs[0]), step);
  const DenseFilters filters = dense_filters(op, to.geometry(task.inputs[0]), out.shape);
  step.filter_count = static_cast<std::int32_t>(filters.groups.size());
  // A tile's input stays in L1 while as many groups pass over it as have their weights in L2.
  const std::int64_t bytes = std::max<std::int64_t>(1, filters.groups[0].count) * kDenseWidth *
                             static_cast<std::int64_t>(sizeof(float));
  step.filters_at_once = static_cast<std::int32_t>(
      std::clamp<std::int64_t>(l2_bytes() / 4 / bytes, 1, step.filter_count));
  step.filters = to.block.add(filters.groups);
  step.offsets = to.block.add(filters.offsets);
  step.weights = to.block.add(filters.weights);
  to.step(Kind::kDenseConv, step);
}

void emit_winograd(Emission& to, const Task& task) {
  const Op& op = *task.op;
  const Geometry& out = to.geometry(task.output);
  const ConvStep conv = conv_step(to, task);
  WinogradStep step;
  step.in = conv.in;
  step.out = conv.out;
  step.residual = conv.residual;
  step.has_residual = conv.has_residual;
  step.act = conv.act;
  step.edges = conv.edges;
  step.in_channels = static_cast<std::int32_t>(op.in_channels);
  step.out_channels = conv.out_channels;
  step.across = static_cast<std::int32_t>(out.cols / kWinogradTile);
  step.tiles = winograd_tiles(op, out.rows, out.cols);
  step.spots = to.scratch_at;
  to.scratch =
      std::max(to.scratch, step.slice() * std::int64_t{kWinogradSide} * kWinogradSide);
  step.weights = to.block.add(winograd_weights(op));
  std::vector<float> bias = op.bias;
  bias.resize(op.out_channels);
  step.bias = to.block.add(bias);
  const auto all = static_cast<std::int32_t>(out.rows / kWinogradTile) * step.across;
  for (; step.first < all; step.first += step.tiles) {
    step.tiles = std::min(step.tiles, all - step.first);
    step.is_last = step.first + step.tiles == all;
    to.step(Kind::kWinogradEnter, step);
    to.step(Kind::kWinogradLeave, step);
  }
}

void emit_way(Emission& to, const Task& task) {
  const Geometry& in = to.geometry(task.inputs[0]);
  const Geometry& out = to.geometry(task.output);
  const Ways& ways = to.draft.ways;
  switch (ways.of(*task.op, in.shape, out.shape, {out.layout, out.rows, out.cols})) {
    case Way::kTaps: return emit_sparse(to, task);
    case Way::kDense: return emit_dense(to, task);
    case Way::kWinograd: return emit_winograd(to, task);
    case Way::kBorders:
      return emit_runs(to, task, Kind::kBorderConv, ways.border_tile(out.shape));
    case Way::kMovedSums: return emit_runs(to, task, Kind::kShiftConv, out.rows);
  }
}

// What each place of the window reads for each pixel of the output.
std::vector<std::int32_t> sources_of(const Op& op, const Shape& in, const Shape& out) {
  const Axis down = axis_down(op.window, in, out);
  const Axis across = axis_across(op.window, in, out);
  const std::int64_t pixels = std::int64_t{out.height} * out.width;
  std::vector<std::int32_t> sources;
  for (std::int64_t place = 0; place < down.kernel * across.kernel; ++place) {
    for (std::int64_t pixel = 0; pixel < kColumn; ++pixel) {
      const std::int64_t y =
          pixel / out.width * down.stride + down.shift(place / across.kernel);
      const std::int64_t x =
          pixel % out.width * across.stride + across.shift(place % across.kernel);
      const bool inside = pixel < pixels && y >= 0 && y < in.height && x >= 0 && x < in.width;
      sources.push_back(inside ? static_cast<std::int32_t>(y * in.width + x) : -1);
    }
  }
  return sources;
}

void emit_columns(Emission& to, const Task& task) {
  const Op& op = *task.op;
  const Shape& in = to.geometry(task.inputs[0]).shape;
  const Shape& out = to.geometry(task.output).shape;
  const std::vector<std::int32_t> sources = sources_of(op, in, out);
  ColumnsStep step;
  step.in = to.place(task.inputs[0]).at;
  step.out = to.place(task.output).at;
  if (task.residual != kNobody) step.residual = to.place(task.residual).at;
  step.act = op.act;
  step.in_channels = static_cast<std::int32_t>(op.in_channels);
  step.out_channels = static_cast<std::int32_t>(op.out_channels);
  step.in_pixels = static_cast<std::int32_t>(in.height * in.width);
  step.pixels = static_cast<std::int32_t>(out.height * out.width);
  step.places = static_cast<std::int32_t>(op.window.kernel_h * op.window.kernel_w);
  step.columns = to.scratch_at;
  to.scratch =
      std::max(to.scratch, std::int64_t{step.in_channels} * step.places * kColumn);
  constexpr double kVector = static_cast<double>(kColumn) / kLanes;
  const SparseFilters filters =
      column_filters(op, sources, channels_at_once(op, {step.places * kVector, kVector}));
  step.filter_count = static_cast<std::int32_t>(filters.filters.size());
  step.sources = to.block.add(sources);
  step.filters = to.block.add(filters.filters);
  step.taps = to.block.add(filters.taps);
  to.step(Kind::kColumns, step);
  to.step(Kind::kColumnConv, step);
}

// The same as the plain step, if that pays.
bool emit_lookup(Emission& to, const PlainStep& plain, const Op& op, const Shape& in) {
  const LookupRows rows = lookup_rows(plain_filters(op, in, 1), plain_geometry(in).cols * kLanes,
                                      to.kernels.lookups);
  if (rows.groups.empty()) return false;
  LookupStep step;
  step.in = plain.in;
  step.out = plain.out;
  step.residual = plain.residual;
  step.act = plain.act;
  step.group_count = static_cast<std::int32_t>(rows.groups.size());
  step.groups = to.block.add(rows.groups);
  step.windows = to.block.add(rows.windows);
  step.places = to.block.add(rows.places);
  step.weights = to.block.add(rows.weights);
  to.step(Kind::kLookup, step);
  return true;
}

}  // namespace

void emit_conv(Emission& to, const Task& task) {
  const std::size_t first = to.steps.size();
  emit_way(to, task);
  const bool in_blocks = to.geometry(task.output).layout == Layout::kBlocks;
  if (!in_blocks || shares(to.draft, task)) return;
  for (std::size_t i = first; i < to.steps.size(); ++i) to.steps[i].shared = 0;
}

void emit_plain_product(Emission& to, const Task& task) {
  const Op& op = *task.op;
  const Shape& in = to.geometry(task.inputs[0]).shape;
  const Shape& out = to.geometry(task.output).shape;
  if (op.code == Code::kConv && out.height * out.width > 1) return emit_columns(to, task);
  PlainStep step;
  step.in = to.place(task.inputs[0]).at;
  step.out = to.place(task.output).at;
  if (task.residual != kNobody) step.residual = to.place(task.residual).at;
  step.act = op.act;
  if (op.code == Code::kLinear && stores_dense(op)) {
    std::vector<float> weights(static_cast<std::size_t>(op.weights.total));
    for (std::size_t i = 0; i < op.weights.values.size(); ++i) {
      weights[static_cast<std::size_t>(op.weights.positions[i])] = op.weights.values[i];
    }
    std::vector<float> bias = op.bias;
    bias.resize(op.out_channels);
    step.rows = static_cast<std::int32_t>(op.out_channels);
    step.in_size = static_cast<std::int32_t>(op.in_channels);
    step.weights = to.block.add(weights);
    step.bias = to.block.add(bias);
    to.step(Kind::kPlainDense, step);
    return;
  }
  if (to.kernels.lookup != nullptr && emit_lookup(to, step, op, in)) return;
  const SparseFilters filters = plain_filters(op, in, taps_at_once(1));
  step.rows = static_cast<std::int32_t>(filters.filters.size());
  step.filters = to.block.add(filters.filters);
  step.taps = to.block.add(filters.taps);
  to.step(Kind::kPlainLinear, step);
}

}  // namespace ticket::runtime
