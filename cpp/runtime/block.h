// What is inside a packed block: plain records at offsets from its first byte.
//
// The block holds offsets instead of pointers, so it may be copied and be owned by anything: a
// torch tensor, the C API's handle.
#pragma once

#include <cstdint>

#include "runtime/records.h"

namespace ticket::runtime {

// Sizes per image in floats of the one input and the one output.
struct Io {
  std::int64_t input = 0;
  std::int64_t output = 0;
  std::int64_t batch = 0;  // fixed at export, or 0
};

struct Header {
  char magic[8] = {};
  std::uint64_t format = 0;
  std::uint64_t size = 0;
  std::uint64_t id = 0;  // a hash of what follows the header: whose zeros an arena holds
  Io io;
  std::int32_t isa = 0;
  std::int32_t has_blocks = 0;
  std::int32_t images_a_group = 0;  // how many one by one take as long as sixteen at once
  std::int32_t shared = 0;          // several threads on one image pay
  // Sixteen images: `front` takes them one by one as far as they are large, each to `staged`
  // floats (see PassStep), and `batch` goes on from there; without steps in `front`, `batch` does
  // all.  One image alone: `blocks`, in the memory that is `front`'s too, and that of `wide`, which
  // takes kWide times sixteen images where it has steps.
  Program batch, front, blocks, wide;
  std::int64_t staged = 0;

  // One image alone that two threads share, each in memory of its own: `halves` serves both and
  // leaves `joined` floats, row-major, with which `rest` goes on as `blocks` would.
  Program halves, rest;
  std::int64_t joined = 0;
  std::int64_t lower_input = 0, lower_joined = 0;  // where the lower half begins in an image

  std::int64_t staging_at() const { return batch.arena; }
  std::int64_t single_at() const { return batch.arena + staged * kLanes; }
  std::int64_t joined_at() const { return single_at() + 2 * halves.arena; }
  std::int64_t rest_at() const { return joined_at() + (joined + kLanes - 1) / kLanes * kLanes; }
  std::int64_t arena(bool runs_wide, bool runs_halves) const {
    std::int64_t end = single_at() + (front.arena > blocks.arena ? front.arena : blocks.arena);
    if (runs_wide && single_at() + wide.arena > end) end = single_at() + wide.arena;
    if (runs_halves && rest_at() + rest.arena > end) end = rest_at() + rest.arena;
    return end;
  }
};

constexpr char kBlockMagic[8] = {'T', 'K', 'T', 'B', 'L', 'O', 'C', 'K'};

// Changes with the records, so that another build's block is not taken for ours.
constexpr std::uint64_t kBlockFormat = (std::uint64_t{10} << 32) | (sizeof(ConvStep) << 16) |
                                       (sizeof(PoolStep) << 8) | sizeof(Header);

}  // namespace ticket::runtime
