// A program before memory is given out: tensors, and tasks that read and write them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/pack/geometry.h"
#include "runtime/pack/ways.h"
#include "runtime/plan/plan.h"

namespace ticket::runtime {

constexpr int kNobody = -1;

struct Tensor {
  Geometry geometry;
  int storage = kNobody;  // tensors that are views of each other share one
};

// Without an op, a pass between layouts: from the first input, or from the caller's input if
// there is none, to the output, or to the caller's output if there is none.
struct Task {
  const Op* op = nullptr;
  std::vector<int> inputs;
  int residual = kNobody;
  int output = kNobody;
};

// How a value lies between two parts: in vectors of blocks of this size, or row-major (zeros).
struct Staged {
  std::int64_t rows = 0, cols = 0;
};

// Where two threads share a step of one image: wherever it can be done is for tests.
enum class Shares { kWherePays, kAlways };

struct Draft {
  std::vector<Tensor> tensors;
  std::vector<Task> tasks;
  int storages = 0;
  Ways ways;     // how its convolutions go
  Staged input;  // the caller's
  bool halved = false;  // its tensors are those of an image's half
  Shares shares = Shares::kWherePays;

  int add(const Geometry& geometry) {
    tensors.push_back({geometry, storages++});
    return static_cast<int>(tensors.size()) - 1;
  }

  int view(int tensor, const Geometry& geometry) {
    tensors.push_back({geometry, tensors[static_cast<std::size_t>(tensor)].storage});
    return static_cast<int>(tensors.size()) - 1;
  }

  const Geometry& geometry(int tensor) const {
    return tensors[static_cast<std::size_t>(tensor)].geometry;
  }
};

// The operations begin..end - 1 of a plan, which take one value and make one.
struct Part {
  const Plan* plan = nullptr;
  std::size_t begin = 0, end = 0;
  std::uint32_t input = 0, output = 0;
  Ways ways = {};
  bool stages = false;  // another part goes on: blocks are left as they lie
  bool halved = false;  // takes and makes a half of an image, of which `plan` has the shapes
  Shares shares = Shares::kWherePays;
  Staged staged = {};   // how the input lies

  const Op* first() const { return plan->ops.data() + begin; }
  const Op* last() const { return plan->ops.data() + end; }
};

// Sixteen images at once: serves every plan.
Draft draft_batch(const Part& part);

// Four times as many where all values are vectors, so that a tap serves four of theirs.  False if
// an operation of the plan has no place in it.
bool draft_wide(const Part& part, Draft* draft);

// One image at once, in 4 x 4 blocks while it is large and plain after that.  False if an
// operation or a shape of the plan has no place in it.
bool draft_blocks(const Part& part, Draft* draft);

// How the output of a part that stages lies, and its size in floats.
Staged staged_by(const Draft& draft);
std::int64_t staged_size(const Draft& draft);

// Where each tensor's memory begins, and the size of all, in vectors.
struct Placement {
  std::vector<std::int64_t> at;
  std::int64_t size = 0;
};

// Gives memory to the tensors; those that are not needed any more make room.  In the batch layout
// a tensor with a halo only ever follows one of the same geometry, so that a halo that once was
// zero stays zero.
Placement place(const Draft& draft);

}  // namespace ticket::runtime
