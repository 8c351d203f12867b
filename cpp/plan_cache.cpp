#include "plan_cache.h"

#include <cstring>
#include <list>
#include <new>
#include <utility>

#include "runtime/pack/pack.h"
#include "runtime/plan/plan.h"
#include "runtime/run/fork_safe.h"

namespace ticket {
namespace {

// Plans: a process serves a few networks.  One that is split around operators of torch has a plan
// for every few layers; more are kept while they are small together.
constexpr std::size_t kKept = 16;
constexpr std::size_t kMostKept = 512;
constexpr std::size_t kSmall = 64 << 20;  // bytes

struct Entry {
  std::vector<std::uint8_t> plan;
  PackedPlan packed;
};

std::size_t size_of(const Entry& entry) { return entry.plan.size() + entry.packed->size(); }

struct Cache {
  std::list<Entry> entries;  // the newest first
  std::size_t bytes = 0;     // of plans and blocks together

  // Compared byte by byte: a plan is small, and an address says nothing about what lies there now.
  PackedPlan find(const std::uint8_t* plan, std::size_t size) {
    for (auto entry = entries.begin(); entry != entries.end(); ++entry) {
      if (entry->plan.size() == size && std::memcmp(entry->plan.data(), plan, size) == 0) {
        entries.splice(entries.begin(), entries, entry);
        return entry->packed;
      }
    }
    return nullptr;
  }

  void add(Entry entry) {
    entries.push_front(std::move(entry));
    bytes += size_of(entries.front());
    while (entries.size() > kMostKept || (entries.size() > kKept && bytes > kSmall)) {
      bytes -= size_of(entries.back());
      entries.pop_back();
    }
  }
};

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
  using runtime::ForkSafe;
  PackedPlan known = ForkSafe<Cache>::with([&](Cache& cache) { return cache.find(bytes, size); });
  if (known != nullptr) return known;
  auto block = std::make_shared<runtime::PackedBytes>();
  if (!pack_bytes(bytes, size, block.get(), error)) return nullptr;
  Entry entry{std::vector<std::uint8_t>(bytes, bytes + size), block};
  ForkSafe<Cache>::with([&](Cache& cache) { cache.add(std::move(entry)); });
  return block;
}

}  // namespace ticket
