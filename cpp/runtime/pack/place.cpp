// Memory for the tensors of a program: reused when their last reader is done.
#include <algorithm>
#include <array>
#include <map>

#include "runtime/pack/draft.h"

namespace ticket::runtime {
namespace {

// Gaps between what is in use, by where they begin.
class Gaps {
 public:
  // The first gap that is large enough, else new memory at the end.
  std::int64_t take(std::int64_t size) {
    for (auto gap = gaps_.begin(); gap != gaps_.end(); ++gap) {
      if (gap->second < size) continue;
      const std::int64_t at = gap->first;
      const std::int64_t left = gap->second - size;
      gaps_.erase(gap);
      if (left > 0) gaps_[at + size] = left;
      return at;
    }
    std::int64_t at = end_;
    if (!gaps_.empty() && gaps_.rbegin()->first + gaps_.rbegin()->second == end_) {
      at = gaps_.rbegin()->first;
      gaps_.erase(at);
    }
    end_ = at + size;
    return at;
  }

  void give(std::int64_t at, std::int64_t size) {
    const auto next = gaps_.lower_bound(at);
    if (next != gaps_.end() && at + size == next->first) {
      size += next->second;
      gaps_.erase(next);
    }
    const auto after = gaps_.lower_bound(at);
    if (after != gaps_.begin()) {
      const auto before = std::prev(after);
      if (before->first + before->second == at) {
        before->second += size;
        return;
      }
    }
    gaps_[at] = size;
  }

  std::int64_t end() const { return end_; }

 private:
  std::map<std::int64_t, std::int64_t> gaps_;
  std::int64_t end_ = 0;
};

struct Storage {
  std::int64_t size = 0;
  int last = kNobody;        // the last task that uses it
  int merged_into = kNobody;
  int geometry_of = kNobody;  // the tensor whose zero halo it keeps
  int slot = kNobody;         // then
  std::int64_t at = kNobody;  // else
};

struct Slot {
  std::int64_t size = 0;
  std::int64_t at = 0;
};

// Which vectors are the halo's, whatever the number of channels.
using GeometryKey = std::array<std::int64_t, 5>;

GeometryKey key_of(const Geometry& g) { return {g.rows, g.cols, g.pitch, g.plane, g.origin}; }

bool keeps_zeros(const Geometry& g) { return g.layout == Layout::kBatch && !g.halo.none(); }

int root(const std::vector<Storage>& storages, int storage) {
  while (storages[static_cast<std::size_t>(storage)].merged_into != kNobody) {
    storage = storages[static_cast<std::size_t>(storage)].merged_into;
  }
  return storage;
}

// The tensor that the task may overwrite with its output, once it is nobody else's.
int overwritten(const Draft& draft, const Task& task) {
  if (task.op == nullptr) return kNobody;
  switch (task.op->code) {
    case Code::kConv:
    case Code::kLinear: return task.residual;
    case Code::kAdd:
    case Code::kMul:
    case Code::kAct:
    case Code::kAffine:
      return same_places(draft.geometry(task.inputs[0]), draft.geometry(task.output))
                 ? task.inputs[0]
                 : kNobody;
    default: return kNobody;
  }
}

// Lets outputs take over the memory of inputs that end with them.
void merge(const Draft& draft, std::vector<Storage>& storages) {
  for (std::size_t t = 0; t < draft.tasks.size(); ++t) {
    const Task& task = draft.tasks[t];
    const int tensor = overwritten(draft, task);
    if (tensor == kNobody) continue;
    const auto storage_of = [&](int of) {
      return root(storages, draft.tensors[static_cast<std::size_t>(of)].storage);
    };
    const int from = storage_of(tensor);
    const int to = storage_of(task.output);
    Storage& old = storages[static_cast<std::size_t>(from)];
    if (from == to || old.last != static_cast<int>(t)) continue;
    if (!same_places(draft.geometry(tensor), draft.geometry(task.output))) continue;
    // A convolution reads its input all the time, and a product with a channel's factors those.
    const bool reads_on = tensor == task.residual || task.inputs.size() > 1;
    const int other = tensor == task.residual ? task.inputs[0] : task.inputs.back();
    const bool elementwise =
        tensor != task.residual &&
        same_places(draft.geometry(other), draft.geometry(task.output));
    if (reads_on && !elementwise && storage_of(other) == from) continue;
    Storage& taken = storages[static_cast<std::size_t>(to)];
    taken.merged_into = from;
    old.last = taken.last;
  }
}

}  // namespace

Placement place(const Draft& draft) {
  std::vector<Storage> storages(static_cast<std::size_t>(draft.storages));
  const auto storage_at = [&](int tensor) -> Storage& {
    return storages[static_cast<std::size_t>(
        draft.tensors[static_cast<std::size_t>(tensor)].storage)];
  };
  for (std::size_t i = 0; i < draft.tensors.size(); ++i) {
    Storage& storage = storage_at(static_cast<int>(i));
    const Geometry& geometry = draft.tensors[i].geometry;
    storage.size = std::max(storage.size, geometry.size);
    if (keeps_zeros(geometry)) storage.geometry_of = static_cast<int>(i);
  }
  for (std::size_t t = 0; t < draft.tasks.size(); ++t) {
    const Task& task = draft.tasks[t];
    const int now = static_cast<int>(t);
    for (const int input : task.inputs) storage_at(input).last = now;
    if (task.residual != kNobody) storage_at(task.residual).last = now;
    if (task.output != kNobody) storage_at(task.output).last = now;
  }
  merge(draft, storages);

  std::vector<std::vector<int>> ending(draft.tasks.size());
  for (std::size_t s = 0; s < storages.size(); ++s) {
    if (storages[s].merged_into == kNobody && storages[s].last != kNobody) {
      ending[static_cast<std::size_t>(storages[s].last)].push_back(static_cast<int>(s));
    }
  }
  Gaps gaps;
  std::vector<Slot> slots;
  std::map<GeometryKey, std::vector<int>> idle;
  for (std::size_t t = 0; t < draft.tasks.size(); ++t) {
    const int output = draft.tasks[t].output;
    if (output != kNobody) {
      const int at = root(storages, draft.tensors[static_cast<std::size_t>(output)].storage);
      Storage& storage = storages[static_cast<std::size_t>(at)];
      if (storage.geometry_of != kNobody && storage.slot == kNobody) {
        std::vector<int>& free = idle[key_of(draft.geometry(storage.geometry_of))];
        if (free.empty()) {
          free.push_back(static_cast<int>(slots.size()));
          slots.emplace_back();
        }
        storage.slot = free.back();
        free.pop_back();
        Slot& slot = slots[static_cast<std::size_t>(storage.slot)];
        slot.size = std::max(slot.size, storage.size);
      } else if (storage.geometry_of == kNobody && storage.at == kNobody) {
        storage.at = gaps.take(storage.size);
      }
    }
    for (const int s : ending[t]) {
      Storage& storage = storages[static_cast<std::size_t>(s)];
      if (storage.slot != kNobody) {
        idle[key_of(draft.geometry(storage.geometry_of))].push_back(storage.slot);
      } else if (storage.at != kNobody) {
        gaps.give(storage.at, storage.size);
      }
    }
  }

  Placement result;
  result.size = gaps.end();
  for (Slot& slot : slots) {
    slot.at = result.size;
    result.size += slot.size;
  }
  for (const Tensor& tensor : draft.tensors) {
    const Storage& storage = storages[static_cast<std::size_t>(root(storages, tensor.storage))];
    result.at.push_back(storage.slot != kNobody ? slots[static_cast<std::size_t>(storage.slot)].at
                                                : std::max<std::int64_t>(0, storage.at));
  }
  return result;
}

}  // namespace ticket::runtime
