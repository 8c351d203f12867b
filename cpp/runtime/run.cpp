// Runs a block: images in groups of sixteen, what is left over one by one or as a part group.
#include <algorithm>
#include <atomic>

#include "runtime/arenas.h"
#include "runtime/block.h"
#include "runtime/contest.h"
#include "runtime/lane_kernels.h"
#include "runtime/packed.h"
#include "runtime/steps.h"
#include "runtime/team.h"
#include "runtime/workers.h"

namespace ticket::runtime {
namespace {

// One call of run, shared by its threads.
struct Call {
  const Header* header;
  const void* block;
  const float* input;
  float* output;
  std::int64_t images;
  std::int64_t groups;   // of sixteen images, the last one perhaps less
  std::int64_t singles;  // after them
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> short_of_memory{false};

  void run_item(std::int64_t item, float* arena) const {
    const bool is_group = item < groups;
    const std::int64_t first = is_group ? item * kLanes : groups * kLanes + item - groups;
    Images some;
    some.input = input + first * header->io.input;
    some.output = output + first * header->io.output;
    some.input_size = header->io.input;
    some.output_size = header->io.output;
    some.count =
        is_group ? static_cast<int>(std::min<std::int64_t>(kLanes, images - first)) : 1;
    // The batch has a part of the arena of its own, where its zeros stay.
    const LaneKernels& kernels = *lane_kernels(header->isa);
    float* const single = arena + header->single_at();
    if (!is_group) return run_steps(header->blocks, kernels, block, single, some);
    if (header->front.step_count > 0) {
      float* const staging = arena + header->staging_at();
      for (int i = 0; i < some.count; ++i) {
        const Images one{some.input + i * some.input_size, staging + i * header->staged,
                         some.input_size, header->staged, 1};
        run_steps(header->front, kernels, block, single, one);
      }
      some.input = staging;
      some.input_size = header->staged;
    }
    run_steps(header->batch, kernels, block, arena, some);
  }

  void work() {
    const std::int64_t items = groups + singles;
    std::int64_t item = next.fetch_add(1, std::memory_order_relaxed);
    if (item >= items) return;
    Arena arena = take_arena(header->id, header->arena());
    if (arena.floats == nullptr) {
      short_of_memory = true;
      return;
    }
    for (; item < items; item = next.fetch_add(1, std::memory_order_relaxed)) {
      run_item(item, arena.floats.get());
    }
    give_arena(std::move(arena));
  }
};

std::int64_t rounds(std::int64_t items, std::int64_t threads) {
  return (items + threads - 1) / threads;
}

// Groups while every thread gets as many; then what is sooner done, groups or single images.
void split(std::int64_t threads, Call* call) {
  const bool groups_pay = call->header->images_a_group < kLanes;
  const std::int64_t even = groups_pay ? call->images / kLanes / threads * threads : 0;
  const std::int64_t rest = call->images - even * kLanes;
  const std::int64_t rest_groups = rounds(rest, kLanes);
  call->groups = even;
  if (call->header->has_blocks != 0 &&
      rounds(rest, threads) <= rounds(rest_groups, threads) * call->header->images_a_group) {
    call->singles = rest;
  } else {
    call->groups += rest_groups;
  }
}

// One image, its steps shared among the threads.
bool run_shared(const Call& call, int threads) {
  const Header& header = *call.header;
  Arena arena = take_arena(header.id, header.arena());
  if (arena.floats == nullptr) return false;
  const Images one{call.input, call.output, header.io.input, header.io.output, 1};
  Team team(header.blocks, *lane_kernels(header.isa), call.block,
            arena.floats.get() + header.single_at(), one, threads);
  share_work(team.parts(), [](void* context) { static_cast<Team*>(context)->work(); }, &team);
  give_arena(std::move(arena));
  return true;
}

}  // namespace

bool run(const void* block, const float* input, float* output, std::int64_t images, int threads,
         std::string* error) {
  const auto* const header = static_cast<const Header*>(block);
  threads = std::max(threads, 1);
  Call call{header, block, input, output, images, 0, 0};
  split(threads, &call);
  const std::int64_t items = call.groups + call.singles;
  const bool one = images == 1 && call.singles == 1 && header->shared != 0;
  if (!one) threads = static_cast<int>(std::min<std::int64_t>(threads, items));
  // What a call computes is split before: the outputs are the same however many take part.
  const Try way(header->id, images, threads);
  if (!way.many()) threads = 1;
  if (one && threads > 1) {
    call.short_of_memory = !run_shared(call, threads);
  } else {
    share_work(threads, [](void* context) { static_cast<Call*>(context)->work(); }, &call);
  }
  if (!call.short_of_memory) return true;
  const double bytes = static_cast<double>(header->arena()) * sizeof(float);
  *error = "not enough memory: a thread needs " +
           std::to_string(static_cast<std::int64_t>(bytes / (1 << 20)) + 1) + " MiB";
  return false;
}

}  // namespace ticket::runtime
