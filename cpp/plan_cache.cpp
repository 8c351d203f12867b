#include "plan_cache.h"

#include <cstring>
#include <list>
#include <mutex>
#include <new>

#include "runtime/packed.h"
#include "runtime/plan.h"

namespace ticket {
namespace {

constexpr std::size_t kKept = 16;  // plans; a process serves a few networks

struct Entry {
  std::vector<std::uint8_t> plan;
  PackedPlan packed;
};

struct Cache {
  std::mutex mutex;
  std::list<Entry> entries;  // the newest first
};

// Compared byte by byte: a plan is small, and an address says nothing about what lies there now.
PackedPlan found(Cache& cache, const std::uint8_t* bytes, std::size_t size) {
  const std::lock_guard<std::mutex> lock(cache.mutex);
  for (auto entry = cache.entries.begin(); entry != cache.entries.end(); ++entry) {
    if (entry->plan.size() == size && std::memcmp(entry->plan.data(), bytes, size) == 0) {
      cache.entries.splice(cache.entries.begin(), cache.entries, entry);
      return entry->packed;
    }
  }
  return nullptr;
}

}  // namespace

bool pack_bytes(const std::uint8_t* bytes, std::size_t size, runtime::PackedBytes* block,
                std::string* error) {
  try {
    runtime::Plan plan;
    return runtime::decode(bytes, size, &plan, error) && runtime::pack(plan, block, error);
  } catch (const std::bad_alloc&) {
    *error = "memory is short";
    return false;
  }
}

PackedPlan packed_once(const std::uint8_t* bytes, std::size_t size, std::string* error) {
  // Never destroyed: threads may still run networks while the process ends.
  static Cache& cache = *new Cache;
  if (PackedPlan known = found(cache, bytes, size)) return known;
  auto block = std::make_shared<runtime::PackedBytes>();
  if (!pack_bytes(bytes, size, block.get(), error)) return nullptr;
  const std::lock_guard<std::mutex> lock(cache.mutex);
  cache.entries.push_front({std::vector<std::uint8_t>(bytes, bytes + size), block});
  if (cache.entries.size() > kKept) cache.entries.pop_back();
  return block;
}

}  // namespace ticket
