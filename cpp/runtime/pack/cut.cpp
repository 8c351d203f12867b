// How far images go one by one before sixteen of them go on together.
#include "runtime/pack/cut.h"

#include <algorithm>

#include "runtime/pack/winograd.h"
#include "runtime/records.h"

namespace ticket::runtime {
namespace {

// As Costs; the same for all CPUs.
constexpr double kBeyondL2 = 6.0;     // to read or write a vector beyond L2
constexpr double kNearBytes = 1 << 20;
constexpr double kOperation = 200.0;  // to begin one
constexpr double kShared = 15e3;      // an operation's, above which threads may gain by sharing it

double one_by_one(const Op& op, const Plan& plan, const Ways& ways) {
  const Costs& costs = ways.costs;
  const Shape& out = plan.values[op.output];
  const auto taps = static_cast<double>(op.weights.values.size());
  const auto channels = static_cast<double>(out.channels);
  const Field field = blocks_field(out);
  const auto vectors = static_cast<double>(field.rows * field.cols);
  if (taps == 0) return kOperation + channels * (2 * costs.vector * vectors);
  if (ways.of(op, plan.values[op.inputs[0]], out, field) == Way::kWinograd) {
    return kOperation + winograd_cycles(op, costs) * vectors;
  }
  return kOperation + taps * (costs.vector * vectors + costs.tap) +
         channels * (costs.filter + costs.filter_vector * vectors);
}

// For each of sixteen images.
double at_once(const Op& op, const Plan& plan, const Ways& ways) {
  const Costs& costs = ways.costs;
  const Shape& in = plan.values[op.inputs[0]];
  const Shape& out = plan.values[op.output];
  const auto taps = static_cast<double>(op.weights.values.size());
  const auto channels = static_cast<double>(out.channels);
  const double pixels = static_cast<double>(out.height) * out.width;
  const double bytes = static_cast<double>(in.size() + out.size()) * kVectorBytes;
  double cycles = kOperation;
  if (ways.of(op, in, out, batch_field(out)) == Way::kWinograd) {
    cycles += winograd_cycles(op, costs) * pixels;
  } else if (taps > 0) {
    cycles += (taps * costs.batch_vector + channels * costs.batch_filter) * pixels;
  } else {
    cycles += channels * costs.batch_vector * pixels;
  }
  if (bytes > kNearBytes) cycles += kBeyondL2 * bytes / kVectorBytes;
  return cycles / kLanes;
}

}  // namespace

std::vector<std::uint32_t> values_over_cuts(const Plan& plan) {
  const std::size_t count = plan.ops.size();
  std::vector<std::size_t> last(plan.values.size(), 0);  // the last cut that a value goes over
  for (std::size_t i = 0; i < count; ++i) {
    for (const std::uint32_t input : plan.ops[i].inputs) last[input] = i;
    if (plan.ops[i].residual != kNone) last[plan.ops[i].residual] = i;
  }
  last[plan.outputs[0]] = count;
  std::vector<std::uint32_t> values(count + 1, kNone);
  std::vector<std::uint32_t> live{plan.inputs[0]};
  for (std::size_t cut = 1; cut < count; ++cut) {
    live.push_back(plan.ops[cut - 1].output);
    live.erase(std::remove_if(live.begin(), live.end(),
                              [&](std::uint32_t value) { return last[value] < cut; }),
               live.end());
    if (live.size() == 1) values[cut] = live[0];
  }
  return values;
}

Cut choose_cut(const Plan& plan, const Ways& ways) {
  double back = 0;
  double single = 0;
  for (const Op& op : plan.ops) {
    back += at_once(op, plan, ways);
    single += one_by_one(op, plan, ways);
  }
  Cut best;
  double least = back;
  const std::vector<std::uint32_t> values = values_over_cuts(plan);
  double front = 0;
  for (std::size_t cut = 1; cut < plan.ops.size(); ++cut) {
    front += one_by_one(plan.ops[cut - 1], plan, ways);
    back -= at_once(plan.ops[cut - 1], plan, ways);
    if (values[cut] == kNone) continue;
    const double pass =
        ways.costs.pass * static_cast<double>(plan.values[values[cut]].size()) / kLanes;
    if (front + pass + back >= least) continue;
    least = front + pass + back;
    best.at = cut;
    best.value = values[cut];
  }
  best.shared = single > kShared * static_cast<double>(plan.ops.size());
  best.images_a_group = static_cast<int>(std::clamp(kLanes * least / single, 1.0, 1.0 * kLanes));
  return best;
}

}  // namespace ticket::runtime
