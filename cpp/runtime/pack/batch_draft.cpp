// The programs that run sixteen images at once, and four times sixteen.
#include <algorithm>
#include <functional>

#include "runtime/pack/draft.h"

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

// Whether the op treats a value as a list of elements.
bool takes_elements(const Op& op, const Plan& plan) {
  const Shape& out = plan.values[op.output];
  switch (op.code) {
    case Code::kLinear:
    case Code::kAct:
    case Code::kReshape: return true;
    case Code::kAdd:
    case Code::kMul:
      return plan.values[op.inputs[0]].size() == out.size() &&
             plan.values[op.inputs[1]].size() == out.size();
    case Code::kAffine: return out.size() == out.channels;
    default: return false;
  }
}

using GeometryOf = std::function<Geometry(std::uint32_t)>;

// One geometry a value.  A reshape between two that lie alike is no work.
Draft drafted(const Part& part, const GeometryOf& geometry_of) {
  const Plan& plan = *part.plan;
  Draft draft;
  draft.ways = part.ways;
  draft.input = part.staged;
  std::vector<int> tensor_of(plan.values.size(), kNobody);
  const auto make = [&](std::uint32_t value) {
    tensor_of[value] = draft.add(geometry_of(value));
    return tensor_of[value];
  };
  draft.tasks.push_back({nullptr, {}, kNobody, make(part.input)});
  for (const Op* next = part.first(); next != part.last(); ++next) {
    const Op& op = *next;
    Task task{&op, {}, kNobody, kNobody};
    for (const std::uint32_t input : op.inputs) task.inputs.push_back(tensor_of[input]);
    if (op.residual != kNone) task.residual = tensor_of[op.residual];
    if (op.code == Code::kReshape) {
      const Geometry out = geometry_of(op.output);
      if (draft.geometry(task.inputs[0]).halo.none() && out.halo.none()) {
        tensor_of[op.output] = draft.view(task.inputs[0], out);
        continue;
      }
    }
    task.output = make(op.output);
    draft.tasks.push_back(std::move(task));
  }
  draft.tasks.push_back({nullptr, {tensor_of[part.output]}, kNobody, kNobody});
  return draft;
}

}  // namespace

Draft draft_batch(const Part& part) {
  const std::vector<Halo> halos = halos_of(part);
  return drafted(part, [&](std::uint32_t value) {
    return batch_geometry(part.plan->values[value], halos[value]);
  });
}

bool draft_wide(const Part& part, Draft* draft) {
  const Plan& plan = *part.plan;
  const auto fits = [&](const Op& op) { return takes_elements(op, plan); };
  if (!std::all_of(part.first(), part.last(), fits)) return false;
  *draft = drafted(
      part, [&](std::uint32_t value) { return wide_geometry(plan.values[value], kWide); });
  return true;
}

}  // namespace ticket::runtime
