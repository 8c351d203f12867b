// From a draft with its memory to the steps in the block.
#include "runtime/pack/emit.h"

#include <algorithm>
#include <limits>

namespace ticket::runtime {
namespace {

std::int32_t narrow(std::int64_t value) { return static_cast<std::int32_t>(value); }

std::int32_t planes_of(const Geometry& g) {
  return g.layout == Layout::kPlain ? 1 : narrow(g.shape.channels);
}

void emit_pass(Emission& to, const Task& task) {
  const bool enters = task.inputs.empty();
  const bool leaves = task.output == kNobody;
  PassStep step;
  // The side in vectors: of a pass inside the arena, the one that is not plain.
  int lanes = leaves ? task.inputs[0] : task.output;
  Kind kind = leaves ? Kind::kLeave : Kind::kEnter;
  if (!enters && !leaves) {
    if (to.geometry(lanes).layout == Layout::kPlain) {
      kind = Kind::kLeave;
      lanes = task.inputs[0];
    }
    step.outside = to.place(kind == Kind::kLeave ? task.output : task.inputs[0]).at;
  }
  const Geometry& g = to.geometry(lanes);
  step.layout = g.layout;
  step.place = to.place(lanes);
  step.apart = std::int64_t{g.shape.height} * g.shape.width * (to.draft.halved ? 2 : 1);
  step.channels = narrow(g.shape.channels);
  step.height = narrow(g.shape.height);
  step.width = narrow(g.shape.width);
  step.edges = edges_of(g);
  if (g.layout == Layout::kBatch && g.rows != g.shape.height) step.groups = narrow(g.rows);
  if (enters && g.layout == Layout::kBatch) {
    step.edges.rows = narrow(to.draft.input.rows);
    step.edges.cols = narrow(to.draft.input.cols);
    step.staged = to.draft.input.rows > 0;
  }
  if (leaves && g.layout == Layout::kBlocks) step.staged = !to.draft.halved;
  to.step(kind, step);
}

// The global pools are pools with the whole image as window.
Window window_of(const Op& op, const Shape& in, const Shape& out) {
  if (op.code == Code::kMaxPool || op.code == Code::kAvgPool) return tidy(op.window, out);
  Window window;
  window.kernel_h = in.height;
  window.kernel_w = in.width;
  return window;
}

void emit_pool(Emission& to, const Task& task) {
  const Op& op = *task.op;
  const Geometry& in = to.geometry(task.inputs[0]);
  const Geometry& out = to.geometry(task.output);
  const Place from = to.place(task.inputs[0]);
  const Place into = to.place(task.output);
  if (in.layout == Layout::kBlocks && out.layout == Layout::kPlain) {
    MeanStep step;
    step.in = from;
    step.out = into.at;
    step.channels = narrow(in.shape.channels);
    step.rows = narrow(in.rows);
    step.cols = narrow(in.cols);
    step.scale = 1.0f / static_cast<float>(std::int64_t{in.shape.height} * in.shape.width);
    to.step(Kind::kMeanBlocks, step);
    return;
  }
  PoolStep step;
  step.in = from;
  step.out = into;
  step.channels = narrow(in.shape.channels);
  step.rows = narrow(out.rows);
  step.cols = narrow(out.cols);
  step.in_rows = narrow(in.shape.height);
  step.in_cols = narrow(in.shape.width);
  step.window = window_of(op, in.shape, out.shape);
  step.clip = in.layout != Layout::kBlocks;
  step.max = op.code == Code::kMaxPool || op.code == Code::kGlobalMax;
  step.count_pad = step.clip != 0 && op.code == Code::kAvgPool && op.count_include_pad;
  step.edges = edges_of(out);
  if (in.layout == Layout::kPlain) {
    step.rows = narrow(out.shape.height);
    step.cols = narrow(out.shape.width);
    step.in.row = in.shape.width;
    step.in.plane = std::int64_t{in.shape.height} * in.shape.width;
    to.step(Kind::kPlainPool, step);
    return;
  }
  to.step(Kind::kPool, step);
}

void emit_affine(Emission& to, const Op& op, const Geometry& out, ElementwiseStep* step) {
  step->what = Elementwise::kAffine;
  std::vector<float> scale = op.scale;
  std::vector<float> shift = op.shift;
  if (out.layout == Layout::kPlain) {
    step->what = Elementwise::kAffineVector;
    const auto pixels = static_cast<std::size_t>(out.shape.size() / out.shape.channels);
    scale.assign(static_cast<std::size_t>(out.cols * kLanes), 0.0f);
    shift = scale;
    for (std::size_t i = 0; i < static_cast<std::size_t>(out.shape.size()); ++i) {
      scale[i] = op.scale[i / pixels];
      shift[i] = op.shift[i / pixels];
    }
  }
  step->scale = to.block.add(scale);
  step->shift = to.block.add(shift);
}

void emit_elementwise(Emission& to, const Task& task) {
  const Op& op = *task.op;
  const Geometry& out = to.geometry(task.output);
  ElementwiseStep step;
  step.act = op.act;
  step.a = to.place(task.inputs[0]);
  step.b = to.place(task.inputs.back());
  step.out = to.place(task.output);
  step.channels = planes_of(out);
  step.rows = narrow(out.rows);
  step.cols = narrow(out.cols);
  step.edges = edges_of(out);
  if (op.code == Code::kAdd) step.what = Elementwise::kAdd;
  if (op.code == Code::kAffine) emit_affine(to, op, out, &step);
  if (op.code == Code::kMul) {
    const Geometry& factor = to.geometry(task.inputs[1]);
    const bool per_channel = factor.shape.size() != out.shape.size();
    const bool plain = factor.layout == Layout::kPlain;
    step.what = !per_channel ? Elementwise::kMul
                : plain      ? Elementwise::kMulScalar
                             : Elementwise::kMulChannel;
    if (per_channel && plain) step.b.plane = 1;
  }
  to.step(Kind::kElementwise, step);
}

void emit_pad(Emission& to, const Task& task) {
  const Op& op = *task.op;
  const Geometry& in = to.geometry(task.inputs[0]);
  const Geometry& out = to.geometry(task.output);
  CopyStep fill;
  fill.out = to.place(task.output);
  fill.channels = planes_of(out);
  fill.rows = narrow(out.rows);
  fill.cols = narrow(out.cols * kLanes);
  fill.value = op.pad_value;
  to.step(Kind::kFill, fill);
  CopyStep copy;
  copy.in = to.place(task.inputs[0]);
  copy.out = fill.out;
  copy.out.at += op.window.pad_top * copy.out.row + std::int64_t{op.window.pad_left} * kLanes;
  copy.channels = planes_of(in);
  copy.rows = narrow(in.rows);
  copy.cols = narrow(in.cols * kLanes);
  to.step(Kind::kCopy, copy);
}

void emit_concat(Emission& to, const Task& task) {
  CopyStep step;
  step.out = to.place(task.output);
  step.edges = edges_of(to.geometry(task.output));
  for (const int input : task.inputs) {
    const Geometry& in = to.geometry(input);
    step.in = to.place(input);
    step.channels = planes_of(in);
    step.rows = narrow(in.rows);
    const bool plain = in.layout == Layout::kPlain;
    step.cols = narrow(plain ? in.shape.size() : in.cols * kLanes);
    to.step(Kind::kCopy, step);
    step.out.at += plain ? in.shape.size() : step.channels * step.out.plane;
  }
}

void emit_reorder(Emission& to, const Task& task) {
  const Geometry& in = to.geometry(task.inputs[0]);
  const Geometry& out = to.geometry(task.output);
  ReorderStep step;
  step.in = to.place(task.inputs[0]);
  step.out = to.place(task.output);
  step.in_rows = narrow(in.rows);
  step.in_cols = narrow(in.cols);
  step.out_rows = narrow(out.rows);
  step.out_cols = narrow(out.cols);
  step.size = out.shape.size();
  to.step(Kind::kReorder, step);
}

void emit_task(Emission& to, const Task& task) {
  if (task.op == nullptr) return emit_pass(to, task);
  switch (task.op->code) {
    case Code::kConv:
    case Code::kLinear:
      if (to.geometry(task.output).layout == Layout::kPlain) return emit_plain_product(to, task);
      return emit_conv(to, task);
    case Code::kMaxPool:
    case Code::kAvgPool:
    case Code::kGlobalAvg:
    case Code::kGlobalMax: return emit_pool(to, task);
    case Code::kAdd:
    case Code::kMul:
    case Code::kAct:
    case Code::kAffine: return emit_elementwise(to, task);
    case Code::kPad: return emit_pad(to, task);
    case Code::kConcat: return emit_concat(to, task);
    case Code::kReshape: return emit_reorder(to, task);
  }
}

// Where an image is in halves: what a half reads of the other in this tensor.
SeamStep seam_of(const Geometry& g) {
  SeamStep seam;
  seam.channels = narrow(g.shape.channels);
  seam.rows = narrow(g.rows);
  seam.cols = narrow(g.cols);
  seam.halo = narrow(g.halo.top);
  return seam;
}

// A half fills a box while the other may still read the one before.
constexpr std::int64_t kBoxes = 2;

std::int64_t box_size(const Draft& draft) {
  std::int64_t most = 0;
  if (!draft.halved) return most;
  for (const Tensor& tensor : draft.tensors) most = std::max(most, seam_of(tensor.geometry).size());
  return (most + kLanes - 1) / kLanes * kLanes;
}

void emit_seam(Emission& to, int tensor) {
  if (tensor == kNobody || to.geometry(tensor).halo.none()) return;
  SeamStep seam = seam_of(to.geometry(tensor));
  seam.place = to.place(tensor);
  seam.box = to.scratch_at - (1 + to.seams++ % kBoxes) * box_size(to.draft);
  to.step(Kind::kSeamOut, seam);
  to.step(Kind::kSeamIn, seam);
}

// Halves wait for each other where one takes what the other made; else steps that one thread does
// follow each other.
void mark_followers(bool halved, std::vector<Step>& steps) {
  for (std::size_t i = 1; i < steps.size(); ++i) {
    const bool follows = halved ? steps[i].kind != Kind::kSeamIn
                                : steps[i].shared == 0 && steps[i - 1].shared == 0;
    steps[i].follows = follows ? 1 : 0;
  }
}

}  // namespace

Edges edges_of(const Geometry& geometry) {
  Edges edges;
  if (geometry.layout != Layout::kBlocks) return edges;
  const Shape& shape = geometry.shape;
  edges.rows = narrow(geometry.rows);
  edges.cols = narrow(geometry.cols);
  edges.halo = narrow(geometry.halo.top);
  edges.height = narrow(shape.height);
  edges.width = narrow(shape.width);
  edges.cut = geometry.rows * kBlocks != shape.height || geometry.cols * kBlocks != shape.width;
  return edges;
}

bool emit(const Draft& draft, const LaneKernels& kernels, BlockBytes* block, Program* program,
          std::string* error) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max() / kLanes;
  for (const Tensor& tensor : draft.tensors) {
    if (tensor.geometry.size > kMost) {
      *error = "a value of " + std::to_string(tensor.geometry.shape.size()) +
               " elements is too large to run: with its padding it may have 2^27";
      return false;
    }
  }
  const Placement placement = place(draft);
  const std::int64_t scratch_at = placement.size * kLanes + kBoxes * box_size(draft);
  Emission to{draft, placement, kernels, *block, scratch_at};
  for (const Task& task : draft.tasks) {
    emit_task(to, task);
    if (draft.halved) emit_seam(to, task.output);
  }
  mark_followers(draft.halved, to.steps);
  program->steps = block->add(to.steps);
  program->step_count = static_cast<std::int64_t>(to.steps.size());
  program->arena = to.scratch_at + (to.scratch + kLanes - 1) / kLanes * kLanes;
  return true;
}

}  // namespace ticket::runtime
