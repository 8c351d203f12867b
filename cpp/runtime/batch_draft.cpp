// The program that runs sixteen images at once.
#include <algorithm>

#include "runtime/draft.h"

namespace ticket::runtime {
namespace {

// Convolutions read the zeros around their input; pools clip their windows instead, for their
// padding is not always zero.
std::vector<Halo> halos_of(const Part& part) {
  const Plan& plan = *part.plan;
  std::vector<Halo> halos(plan.values.size());
  for (const Op* next = part.first(); next != part.last(); ++next) {
    const Op& op = *next;
    if (op.code != Code::kConv) continue;
    const Shape& in = plan.values[op.inputs[0]];
    const Shape& out = plan.values[op.output];
    const Reach down = reach_of(axis_down(op.window, in, out), in.height, out.height);
    const Reach across = reach_of(axis_across(op.window, in, out), in.width, out.width);
    Halo& halo = halos[op.inputs[0]];
    halo.top = std::max(halo.top, down.before);
    halo.bottom = std::max(halo.bottom, down.after);
    halo.left = std::max(halo.left, across.before);
    halo.right = std::max(halo.right, across.after);
  }
  return halos;
}

}  // namespace

Draft draft_batch(const Part& part) {
  const Plan& plan = *part.plan;
  const std::vector<Halo> halos = halos_of(part);
  Draft draft;
  draft.input = part.staged;
  std::vector<int> tensor_of(plan.values.size(), kNobody);
  const auto make = [&](std::uint32_t value) {
    tensor_of[value] = draft.add(batch_geometry(plan.values[value], halos[value]));
    return tensor_of[value];
  };
  draft.tasks.push_back({nullptr, {}, kNobody, make(part.input)});
  for (const Op* next = part.first(); next != part.last(); ++next) {
    const Op& op = *next;
    Task task{&op, {}, kNobody, kNobody};
    for (const std::uint32_t input : op.inputs) task.inputs.push_back(tensor_of[input]);
    if (op.residual != kNone) task.residual = tensor_of[op.residual];
    if (op.code == Code::kReshape && halos[op.inputs[0]].none() && halos[op.output].none()) {
      tensor_of[op.output] = draft.view(task.inputs[0], batch_geometry(plan.values[op.output], {}));
      continue;
    }
    task.output = make(op.output);
    draft.tasks.push_back(std::move(task));
  }
  draft.tasks.push_back({nullptr, {tensor_of[part.output]}, kNobody, kNobody});
  return draft;
}

}  // namespace ticket::runtime
