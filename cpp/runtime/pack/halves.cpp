// What two threads can do with halves of one image.
#include "runtime/pack/halves.h"

#include <algorithm>
#include <map>

#include "runtime/pack/cut.h"
#include "runtime/pack/sharing.h"
#include "runtime/pack/tiles.h"

namespace ticket::runtime {
namespace {

// Cycles; measured on Zen 3.
constexpr double kJoin = 1.5;  // a float of the image between the halves and what comes after them
constexpr double kGain = 0.1;  // of what the operations take: less is not worth the memory

using Tasks = std::map<const Op*, const Task*>;

Tasks tasks_of(const Draft& draft) {
  Tasks tasks;
  for (const Task& task : draft.tasks) {
    if (task.op != nullptr) tasks[task.op] = &task;
  }
  return tasks;
}

// Whether each half consists of full blocks.
bool has_halves(const Geometry& g) {
  return g.layout == Layout::kBlocks && g.rows % 2 == 0 && g.rows * kBlocks == g.shape.height;
}

// Whether tiles of these regions add up alike, and have their taps in as many at once.
bool add_alike(const std::vector<Region>& a, const std::vector<Region>& b, int tile) {
  const std::int64_t first = vectors_of(a[0]);
  const auto like_first = [&](const Region& region) {
    return sums_at_once(vectors_of(region), tile) == sums_at_once(first, tile);
  };
  return taps_at_once(first) == taps_at_once(vectors_of(b[0])) &&
         std::all_of(a.begin(), a.end(), like_first) &&
         std::all_of(b.begin(), b.end(), like_first);
}

struct Halving {
  const Draft& alone;

  const Geometry& in_of(const Task& task) const { return alone.geometry(task.inputs[0]); }
  const Geometry& out_of(const Task& task) const { return alone.geometry(task.output); }

  Way way_of(const Task& task, std::int64_t rows) const {
    return alone.ways.of(*task.op, in_of(task).shape, out_of(task).shape,
                         {Layout::kBlocks, rows, out_of(task).cols});
  }

  // Whether the sums are the same, bit for bit, when half as many rows are made at once.
  bool same_sums(const Task& task) const {
    const Geometry& out = out_of(task);
    const Way way = way_of(task, out.rows);
    if (way == Way::kMovedSums || way != way_of(task, out.rows / 2)) return false;
    if (way != Way::kTaps) return true;
    const auto regions = [&](std::int64_t rows) {
      const Geometry part = blocks_geometry(out.shape, rows, out.cols, 0);
      return sparse_tiles(*task.op, in_of(task), part, alone.ways.tile).regions;
    };
    return add_alike(regions(out.rows), regions(out.rows / 2), static_cast<int>(alone.ways.tile));
  }

  // Whether a pixel of a half depends on few rows of the other one.
  bool is_local(const Task& task) const {
    const auto halved = [&](int tensor) { return has_halves(alone.geometry(tensor)); };
    return halved(task.output) && std::all_of(task.inputs.begin(), task.inputs.end(), halved) &&
           (task.op->code != Code::kConv || same_sums(task));
  }

  // With two shares of the channels or rows, or by one thread.
  double shared(const Task& task) const {
    return std::min(cycles_alone(alone, task), cycles_shared(alone, task));
  }

  double in_halves(const Task& task) const {
    const Geometry& in = in_of(task);
    const Geometry& out = out_of(task);
    const std::int64_t box = in.shape.channels * in.halo.top * in.cols * kBlocks;
    return conv_cycles(alone, task, static_cast<double>(out.rows * out.cols) / 2) +
           kLine * static_cast<double>(box) / kLanes;
  }
};

}  // namespace

bool part_in_halves(const Part& whole, const Draft& alone, Halves wanted, Part* halves) {
  const Plan& plan = *whole.plan;
  const Halving halving{alone};
  const Tasks tasks = tasks_of(alone);
  const std::vector<std::uint32_t> values = values_over_cuts(plan);
  *halves = whole;
  halves->halved = true;
  halves->ways.moves = Moves::kNever;  // a sum would have to go to the other half
  halves->end = 0;
  double gain = 0, best = 0, all = 0;
  for (std::size_t end = 1; end < plan.ops.size(); ++end) {
    const Op& op = plan.ops[end - 1];
    const auto found = tasks.find(&op);
    if (found == tasks.end() || !halving.is_local(*found->second)) break;
    if (op.code == Code::kConv) {
      const double shared = halving.shared(*found->second);
      gain += shared - halving.in_halves(*found->second);
      all += shared;
    }
    if (values[end] == kNone || values[end] == whole.input) continue;
    const double joined = gain - kJoin * static_cast<double>(plan.values[values[end]].size());
    if (joined <= best && wanted == Halves::kWherePays) continue;
    best = joined;
    halves->end = end;
    halves->output = values[end];
  }
  return halves->end > 0 && (best > kGain * all || wanted == Halves::kAlways);
}

bool lies_as(const Draft& alone, const Draft& part) {
  const Tasks tasks = tasks_of(alone);
  const auto same = [&](int of_whole, int of_part) {
    const Geometry& whole = alone.geometry(of_whole);
    const Geometry& given = part.geometry(of_part);
    return whole.layout == given.layout && whole.cols == given.cols &&
           whole.rows == given.rows * (part.halved ? 2 : 1);
  };
  return std::all_of(part.tasks.begin(), part.tasks.end(), [&](const Task& task) {
    if (task.op == nullptr) return true;
    const auto found = tasks.find(task.op);
    return found != tasks.end() && same(found->second->output, task.output) &&
           same(found->second->inputs[0], task.inputs[0]);
  });
}

}  // namespace ticket::runtime
