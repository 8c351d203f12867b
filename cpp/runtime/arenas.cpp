// Memory that runs work in, kept from call to call.
#include "runtime/arenas.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

#include "runtime/pages.h"

namespace ticket::runtime {
namespace {

constexpr std::size_t kMostIdle = 16;  // as many runs at once as pay on most machines

struct Idle {
  std::mutex mutex;
  Arena arenas[kMostIdle];  // the longest idle first
  std::size_t count = 0;
};

// Never destroyed: a thread may still give an arena back while the program ends.
Idle& idle() {
  static Idle* const all = new Idle;
  return *all;
}

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
  {
    Idle& all = idle();
    const std::lock_guard<std::mutex> lock(all.mutex);
    for (std::size_t i = all.count; i-- > 0;) {
      if (all.arenas[i].owner != owner || all.arenas[i].size < size) continue;
      Arena found = std::move(all.arenas[i]);
      std::move(all.arenas + i + 1, all.arenas + all.count, all.arenas + i);
      --all.count;
      return found;
    }
  }
  return make_arena(owner, size);
}

void give_arena(Arena arena) {
  Arena oldest;  // freed after the lock
  Idle& all = idle();
  const std::lock_guard<std::mutex> lock(all.mutex);
  if (all.count == kMostIdle) {
    oldest = std::move(all.arenas[0]);
    std::move(all.arenas + 1, all.arenas + all.count, all.arenas);
    --all.count;
  }
  all.arenas[all.count++] = std::move(arena);
}

}  // namespace ticket::runtime
