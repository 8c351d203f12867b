// Whether two threads on one image gain by sharing a convolution.
#include "runtime/pack/sharing.h"

#include <algorithm>

#include "runtime/pack/winograd.h"

namespace ticket::runtime {

double conv_cycles(const Draft& draft, const Task& task, double vectors) {
  const Op& op = *task.op;
  const Costs& costs = draft.ways.costs;
  const Geometry& out = draft.geometry(task.output);
  const double channels = op.out_channels;
  const auto taps = static_cast<double>(op.weights.values.size());
  const Way way = draft.ways.of(op, draft.geometry(task.inputs[0]).shape, out.shape,
                                {Layout::kBlocks, out.rows, out.cols});
  if (way == Way::kWinograd) return winograd_cycles(op, costs) * vectors;
  return taps * (costs.vector * vectors + costs.tap) +
         channels * (costs.filter + costs.filter_vector * vectors);
}

double cycles_alone(const Draft& draft, const Task& task) {
  const Geometry& out = draft.geometry(task.output);
  return conv_cycles(draft, task, static_cast<double>(out.rows * out.cols));
}

double cycles_shared(const Draft& draft, const Task& task) {
  const Geometry& in = draft.geometry(task.inputs[0]);
  const auto half = static_cast<double>(in.size) / 2;
  const auto rows = static_cast<double>(2 * in.pitch * in.shape.channels);
  const bool has_rows = draft.geometry(task.output).rows > 1;
  return cycles_alone(draft, task) / 2 + kLine * (has_rows ? std::min(half, rows) : half);
}

bool shares(const Draft& draft, const Task& task) {
  return draft.shares == Shares::kAlways ||
         cycles_shared(draft, task) < cycles_alone(draft, task);
}

}  // namespace ticket::runtime
