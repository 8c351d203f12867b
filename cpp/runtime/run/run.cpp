// Images in groups of sixteen, what is left over one by one or as a part group.
#include "runtime/run/run.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "runtime/block.h"
#include "runtime/lanes/lane_kernels.h"
#include "runtime/run/arenas.h"
#include "runtime/run/contest.h"
#include "runtime/run/steps.h"
#include "runtime/run/team.h"
#include "runtime/run/workers.h"

namespace ticket::runtime {
namespace {

// One call of run, shared by its threads.
struct Call {
  const Header* header;
  const void* block;
  const float* input;
  float* output;
  std::int64_t images;
  std::int64_t wides = 0;    // kWide groups at once each, the last one perhaps less
  std::int64_t groups = 0;   // after them: of sixteen images, the last one perhaps less
  std::int64_t singles = 0;  // after these
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> short_of_memory{false};

  std::int64_t items() const { return wides + groups + singles; }

  std::int64_t arena_size() const { return header->arena(wides > 0, false); }

  // At most `most` images from `first` on.
  Images some_from(std::int64_t first, std::int64_t most) const {
    return {input + first * header->io.input, output + first * header->io.output,
            header->io.input, header->io.output,
            static_cast<int>(std::min(most, images - first))};
  }

  void run_item(std::int64_t item, float* arena) const {
    // The batch has a part of the arena of its own, where its zeros stay.
    const LaneKernels& kernels = *lane_kernels(header->isa);
    float* const single = arena + header->single_at();
    if (item < wides) {
      constexpr std::int64_t kMost = kWide * kLanes;
      return run_steps(header->wide, kernels, block, single, some_from(item * kMost, kMost));
    }
    item -= wides;
    const std::int64_t begin = wides * kWide * kLanes;
    if (item >= groups) {
      const Images one = some_from(begin + groups * kLanes + item - groups, 1);
      return run_steps(header->blocks, kernels, block, single, one);
    }
    Images some = some_from(begin + item * kLanes, kLanes);
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
    std::int64_t item = next.fetch_add(1, std::memory_order_relaxed);
    if (item >= items()) return;
    Arena arena = take_arena(header->id, arena_size());
    if (arena.floats == nullptr) {
      short_of_memory = true;
      return;
    }
    for (; item < items(); item = next.fetch_add(1, std::memory_order_relaxed)) {
      run_item(item, arena.floats.get());
    }
    give_arena(std::move(arena));
  }
};

std::int64_t rounds(std::int64_t items, std::int64_t threads) {
  return (items + threads - 1) / threads;
}

// What takes most images at once while every thread gets as many; then what is sooner done.
void split(std::int64_t threads, Call* call) {
  constexpr std::int64_t kWideTakes = 2;  // as long as so many groups: of four, about half
  constexpr std::int64_t kWideImages = kWide * kLanes;
  const Header& header = *call->header;
  std::int64_t rest = call->images;
  const auto evenly = [&](std::int64_t size) {
    const std::int64_t items = rest / size / threads * threads;
    rest -= items * size;
    return items;
  };
  if (header.wide.step_count > 0) {
    call->wides = evenly(kWideImages);
    const std::int64_t wides = rounds(rest, kWideImages);
    const std::int64_t in_groups = rounds(rounds(rest, kLanes), threads);
    const std::int64_t in_wides = kWideTakes * rounds(wides, threads);
    // What is as soon done by fewer threads wins: they need not wait for each other.
    if (in_groups > in_wides || (in_groups == in_wides && wides > 0 && wides < threads)) {
      call->wides += wides;
      rest = 0;
    }
  }
  if (header.images_a_group < kLanes) call->groups = evenly(kLanes);
  const std::int64_t groups = rounds(rest, kLanes);
  if (header.has_blocks != 0 &&
      rounds(rest, threads) <= rounds(groups, threads) * header.images_a_group) {
    call->singles = rest;
  } else {
    call->groups += groups;
  }
}

// One image in two halves, and what comes after them.
Stretches halves_and_rest(const Call& call, float* arena) {
  const Header& header = *call.header;
  float* const first = arena + header.single_at();
  float* const joined = arena + header.joined_at();
  const Images upper{call.input, joined, header.io.input, header.joined, 1};
  const Images lower{call.input + header.lower_input, joined + header.lower_joined,
                     header.io.input, header.joined, 1};
  const Images whole{joined, call.output, header.joined, header.io.output, 1};
  return {Stretch(header.halves, {first, first + header.halves.arena}, {upper, lower}),
          Stretch(header.rest, arena + header.rest_at(), whole)};
}

// One image, its steps in as many parts shared among the threads.
bool run_shared(const Call& call, int parts) {
  const Header& header = *call.header;
  const bool halves = header.halves.step_count > 0 && parts == 2;
  Arena arena = take_arena(header.id, header.arena(false, halves));
  if (arena.floats == nullptr) return false;
  const Images one{call.input, call.output, header.io.input, header.io.output, 1};
  const Stretches stretches =
      halves ? halves_and_rest(call, arena.floats.get())
             : Stretches{Stretch(header.blocks, arena.floats.get() + header.single_at(), one)};
  Team team(stretches, *lane_kernels(header.isa), call.block, parts);
  const auto work = [](void* with, int thread) { static_cast<Team*>(with)->work(thread); };
  share_work(parts, work, &team);
  give_arena(std::move(arena));
  return true;
}

}  // namespace

bool is_packed(const void* block, std::size_t size) {
  if (size < sizeof(Header)) return false;
  Header header;
  std::memcpy(&header, block, sizeof header);
  const LaneKernels* const kernels = lane_kernels(header.isa);
  return std::memcmp(header.magic, kBlockMagic, sizeof kBlockMagic) == 0 &&
         header.format == kBlockFormat && header.size == size && kernels != nullptr &&
         kernels->supported();
}

Io io_of(const void* block) { return inside<Header>(block, 0)->io; }

bool run(const void* block, const float* input, float* output, std::int64_t images, int threads,
         std::string* error) {
  const auto* const header = static_cast<const Header*>(block);
  threads = std::max(threads, 1);
  Call call{header, block, input, output, images};
  split(threads, &call);
  const bool one = images == 1 && call.singles == 1 && header->shared != 0;
  if (!one) threads = static_cast<int>(std::min<std::int64_t>(threads, call.items()));
  // What a call computes is split before: the outputs are the same however many take part.
  const Try way(header->id, images, threads);
  if (!way.many()) threads = 1;
  if (one && threads > 1) {
    call.short_of_memory = !run_shared(call, parts_for(threads));
  } else {
    share_work(threads, [](void* with, int) { static_cast<Call*>(with)->work(); }, &call);
  }
  if (!call.short_of_memory) return true;
  const double bytes = static_cast<double>(call.arena_size()) * sizeof(float);
  *error = "not enough memory: a thread needs " +
           std::to_string(static_cast<std::int64_t>(bytes / (1 << 20)) + 1) + " MiB";
  return false;
}

}  // namespace ticket::runtime
