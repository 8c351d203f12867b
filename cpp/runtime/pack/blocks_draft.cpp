// The program that runs one image at once.
//
// While images are large the 16 lanes are its 4 x 4 blocks, and a stride of s makes blocks that
// are s times smaller.  So images that are linked by operations form a chain with one unit: the
// block of a value has unit / scale rows, where scale is the product of the strides before it.
// Where the image gets smaller than 4 pixels a new chain begins, for its blocks would be mostly
// empty.  Vectors, and images of one pixel, are plain.
#include <algorithm>
#include <numeric>

#include "runtime/pack/blocks_rules.h"
#include "runtime/pack/draft.h"

namespace ticket::runtime {
namespace {

constexpr std::int64_t kMostScale = 4096;
constexpr std::int64_t kMostHalo = 8;  // beyond, halos are larger than blocks usually are

struct Scale {
  int chain = kNobody;
  std::int64_t down = 1, across = 1;
};

// Blocks of one chain: at least least_* rows, in multiples of multiple_*.
struct Chain {
  std::int64_t multiple_down = 1, multiple_across = 1;
  std::int64_t least_down = 1, least_across = 1;

  std::int64_t unit_down() const { return round_up(least_down, multiple_down); }
  std::int64_t unit_across() const { return round_up(least_across, multiple_across); }

  static std::int64_t round_up(std::int64_t size, std::int64_t multiple) {
    return (size + multiple - 1) / multiple * multiple;
  }
};

struct Drafting {
  const Part& part;
  Draft& draft;
  std::vector<Scale> scales;
  std::vector<Chain> chains = {};
  std::vector<std::vector<int>> tensors_of;  // of each value, one a geometry
  const bool few_plain = few_are_plain(*part.plan);

  Drafting(const Part& of, Draft& into)
      : part(of), draft(into), scales(of.plan->values.size()),
        tensors_of(of.plan->values.size()) {}

  Shape shape(std::uint32_t value) const {
    Shape shape = part.plan->values[value];
    if (part.halved) shape.height /= 2;
    return shape;
  }

  bool lies_plain(std::uint32_t value) const {
    const Shape& of = part.plan->values[value];
    return is_plain(of) || (few_plain && is_few(of));
  }

  void begin_chain(std::uint32_t value) {
    scales[value] = {static_cast<int>(chains.size()), 1, 1};
    chains.emplace_back();
    cover(scales[value], shape(value));
  }

  // Makes the chain's blocks large enough for an image of that scale.
  void cover(const Scale& scale, const Shape& image) {
    Chain& chain = chains[static_cast<std::size_t>(scale.chain)];
    chain.multiple_down = std::lcm(chain.multiple_down, scale.down);
    chain.multiple_across = std::lcm(chain.multiple_across, scale.across);
    chain.least_down =
        std::max(chain.least_down, (image.height + kBlocks - 1) / kBlocks * scale.down);
    chain.least_across =
        std::max(chain.least_across, (image.width + kBlocks - 1) / kBlocks * scale.across);
  }

  // Gives the output of an op its scale.  A stride into a new chain still needs the input in
  // blocks that are `stride` times the output's.
  bool link(const Op& op) {
    const Shape in = shape(op.inputs[0]);
    const Shape out = shape(op.output);
    if (lies_plain(op.output)) return true;
    if (op.code == Code::kReshape) {
      begin_chain(op.output);
      return true;
    }
    const std::int64_t stride_h = axis_down(op.window, in, out).stride;
    const std::int64_t stride_w = axis_across(op.window, in, out).stride;
    Scale scale = scales[op.inputs[0]];
    scale.down *= stride_h;
    scale.across *= stride_w;
    if (scale.down > kMostScale || scale.across > kMostScale) return false;
    if (is_small(out) && !is_small(in)) {
      begin_chain(op.output);
      Chain& chain = chains.back();
      const std::int64_t rows = (in.height + kBlocks - 1) / kBlocks;
      const std::int64_t cols = (in.width + kBlocks - 1) / kBlocks;
      chain.least_down = std::max(chain.least_down, (rows + stride_h - 1) / stride_h);
      chain.least_across = std::max(chain.least_across, (cols + stride_w - 1) / stride_w);
      return true;
    }
    scales[op.output] = scale;
    cover(scale, out);
    Chain& chain = chains[static_cast<std::size_t>(scale.chain)];
    return chain.multiple_down <= kMostScale && chain.multiple_across <= kMostScale;
  }

  std::int64_t rows(std::uint32_t value) const {
    const Scale& scale = scales[value];
    return chains[static_cast<std::size_t>(scale.chain)].unit_down() / scale.down;
  }

  std::int64_t cols(std::uint32_t value) const {
    const Scale& scale = scales[value];
    return chains[static_cast<std::size_t>(scale.chain)].unit_across() / scale.across;
  }

  int find(std::uint32_t value, const Geometry& wanted) const {
    for (const int tensor : tensors_of[value]) {
      const Geometry& g = draft.geometry(tensor);
      if (g.layout == wanted.layout && g.rows == wanted.rows && g.cols == wanted.cols) {
        return tensor;
      }
    }
    return kNobody;
  }

  // The value as a new tensor: from the caller, or from another of its tensors.
  int pass(std::uint32_t value, const Geometry& wanted) {
    Task task;
    if (value != part.input) {
      task.inputs = {wanted.layout == Layout::kPlain ? tensors_of[value].front() : plain(value)};
    }
    task.output = draft.add(wanted);
    tensors_of[value].push_back(task.output);
    draft.tasks.push_back(task);
    return task.output;
  }

  // The value in plain floats.
  int plain(std::uint32_t value) {
    const Geometry wanted = plain_geometry(shape(value));
    const int tensor = find(value, wanted);
    return tensor == kNobody ? pass(value, wanted) : tensor;
  }

  // The value in blocks of that size with at least that halo.
  int blocks(std::uint32_t value, std::int64_t block_rows, std::int64_t block_cols,
             std::int64_t halo) {
    const Geometry wanted = blocks_geometry(shape(value), block_rows, block_cols, halo);
    int tensor = find(value, wanted);
    if (tensor == kNobody) tensor = pass(value, wanted);
    Geometry& g = draft.tensors[static_cast<std::size_t>(tensor)].geometry;
    if (g.halo.top < halo) g = blocks_geometry(g.shape, g.rows, g.cols, halo);
    return tensor;
  }

  int like_output(std::uint32_t value, const Op& op) {
    if (lies_plain(value)) return plain(value);
    return blocks(value, rows(op.output), cols(op.output), 0);
  }

  int make_output(const Op& op) {
    const Shape out = shape(op.output);
    const Geometry geometry = lies_plain(op.output)
                                  ? plain_geometry(out)
                                  : blocks_geometry(out, rows(op.output), cols(op.output), 0);
    const int tensor = draft.add(geometry);
    tensors_of[op.output].push_back(tensor);
    return tensor;
  }

  // The input of a convolution or pool, in the blocks that its output asks for.
  int windowed_input(const Op& op) {
    const std::int64_t out_rows = rows(op.output);
    const std::int64_t out_cols = cols(op.output);
    // Of the whole image, even for its half, which may read what lies in the other one.
    const Shape& in = part.plan->values[op.inputs[0]];
    const Shape& out = part.plan->values[op.output];
    Axis axis_y = axis_down(op.window, in, out);
    Axis axis_x = axis_across(op.window, in, out);
    const Field field{Layout::kBlocks, out_rows, out_cols};
    if (draft.ways.of(op, in, out, field) == Way::kMovedSums) {
      return blocks(op.inputs[0], out_rows, out_cols, 0);
    }
    const std::int64_t in_rows = out_rows * axis_y.stride;
    const std::int64_t in_cols = out_cols * axis_x.stride;
    if (is_pool(op)) {  // which reads all its window, useful or not
      axis_y.in = axis_y.out = axis_x.in = axis_x.out = std::int64_t{1} << 32;
    }
    const Reach down = reach_of(axis_y, in_rows, out_rows);
    const Reach across = reach_of(axis_x, in_cols, out_cols);
    const std::int64_t halo = std::max({down.before, down.after, across.before, across.after});
    return halo > kMostHalo ? kNobody : blocks(op.inputs[0], in_rows, in_cols, halo);
  }

  bool add(const Op& op) {
    const std::uint32_t input = op.inputs[0];
    const bool to_plain = lies_plain(op.output);
    Task task{&op, {}, kNobody, kNobody};
    if (op.code == Code::kReshape) {
      tensors_of[op.output].push_back(
          draft.view(plain(input), plain_geometry(shape(op.output))));
      return true;
    }
    switch (op.code) {
      case Code::kConv:
        task.inputs = {to_plain ? plain(input) : windowed_input(op)};
        break;
      case Code::kMaxPool:
      case Code::kAvgPool:
      case Code::kGlobalAvg:
      case Code::kGlobalMax:
        if (!to_plain) {
          task.inputs = {windowed_input(op)};
        } else if (is_mean(op, shape(input)) && !lies_plain(input)) {
          task.inputs = {blocks(input, rows(input), cols(input), 0)};
        } else {
          task.inputs = {plain(input)};
        }
        break;
      default:
        for (const std::uint32_t value : op.inputs) {
          task.inputs.push_back(to_plain ? plain(value) : like_output(value, op));
        }
    }
    if (task.inputs[0] == kNobody) return false;
    if (op.residual != kNone) {
      task.residual = to_plain ? plain(op.residual) : like_output(op.residual, op);
    }
    task.output = make_output(op);
    draft.tasks.push_back(std::move(task));
    return true;
  }
};

// Whether the blocks of both halves are those of the image, in as many rows each, and what a half
// needs of the other one lies in the blocks at the cut.
bool meets_at_cut(const Draft& draft) {
  return std::all_of(draft.tensors.begin(), draft.tensors.end(), [](const Tensor& tensor) {
    const Geometry& g = tensor.geometry;
    return g.layout == Layout::kBlocks && g.rows * kBlocks == g.shape.height &&
           g.halo.top <= std::min(g.rows, g.cols);
  });
}

}  // namespace

bool draft_blocks(const Part& part, Draft* draft) {
  const Plan& plan = *part.plan;
  draft->ways = part.ways;
  draft->halved = part.halved;
  draft->shares = part.shares;
  Drafting drafting(part, *draft);
  if (!drafting.lies_plain(part.input)) drafting.begin_chain(part.input);
  std::vector<bool> not_negative(plan.values.size(), false);
  for (const Op* next = part.first(); next != part.last(); ++next) {
    const Op& op = *next;
    const bool kept = not_negative[op.inputs[0]];
    if (!has_place(op, plan, kept) || !drafting.link(op)) return false;
    not_negative[op.output] = op.act != Act::kNone || (kept && is_pool(op));
  }

  for (const Op* next = part.first(); next != part.last(); ++next) {
    if (!drafting.add(*next)) return false;
  }
  const bool as_made =
      (part.stages || part.halved) && !drafting.tensors_of[part.output].empty();
  const int last =
      as_made ? drafting.tensors_of[part.output].front() : drafting.plain(part.output);
  draft->tasks.push_back({nullptr, {last}, kNobody, kNobody});
  return !part.halved || meets_at_cut(*draft);
}

Staged staged_by(const Draft& draft) {
  const Geometry& last = draft.geometry(draft.tasks.back().inputs[0]);
  return last.layout == Layout::kBlocks ? Staged{last.rows, last.cols} : Staged{};
}

std::int64_t staged_size(const Draft& draft) {
  const Shape& shape = draft.geometry(draft.tasks.back().inputs[0]).shape;
  const Staged staged = staged_by(draft);
  if (staged.rows > 0) return shape.channels * staged.rows * staged.cols * kLanes;
  return (shape.size() + kLanes - 1) / kLanes * kLanes;
}

}  // namespace ticket::runtime
