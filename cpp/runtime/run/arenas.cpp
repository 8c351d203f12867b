// Memory that runs work in, kept from call to call.
#include "runtime/run/arenas.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "runtime/pages.h"
#include "runtime/run/fork_safe.h"

namespace ticket::runtime {
namespace {

constexpr std::size_t kMostIdle = 16;  // as many runs at once as pay on most machines

struct Idle {
  Arena arenas[kMostIdle];  // the longest idle first
  std::size_t count = 0;

  // One that fits, or one without floats.
  Arena take(std::uint64_t owner, std::int64_t size) {
    for (std::size_t i = count; i-- > 0;) {
      if (arenas[i].owner != owner || arenas[i].size < size) continue;
      Arena found = std::move(arenas[i]);
      std::move(arenas + i + 1, arenas + count, arenas + i);
      --count;
      return found;
    }
    return {};
  }

  // What had to make room, if anything had to.
  Arena give(Arena arena) {
    Arena oldest;
    if (count == kMostIdle) {
      oldest = std::move(arenas[0]);
      std::move(arenas + 1, arenas + count, arenas);
      --count;
    }
    arenas[count++] = std::move(arena);
    return oldest;
  }
};

Arena make_arena(std::uint64_t owner, std::int64_t size) {
  Arena arena;
  const std::size_t bytes = static_cast<std::size_t>(size) * sizeof(float);
  arena.floats.reset(static_cast<float*>(take_pages(bytes)));
  if (arena.floats == nullptr) return arena;
  std::memset(arena.floats.get(), 0, bytes);
  arena.owner = owner;
  arena.size = size;
  return arena;
}

}  // namespace

void FreeFloats::operator()(float* floats) const { std::free(floats); }

Arena take_arena(std::uint64_t owner, std::int64_t size) {
  Arena found = ForkSafe<Idle>::with([&](Idle& idle) { return idle.take(owner, size); });
  return found.floats != nullptr ? std::move(found) : make_arena(owner, size);
}

void give_arena(Arena arena) {
  // What makes room is freed after the lock.
  ForkSafe<Idle>::with([&](Idle& idle) { return idle.give(std::move(arena)); });
}

}  // namespace ticket::runtime
