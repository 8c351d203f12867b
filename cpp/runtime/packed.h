// A plan made ready to run: one position-independent block of bytes.
//
// The block holds offsets instead of pointers, so it may be copied and be owned by anything: a
// torch tensor, the C API's handle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/cut.h"
#include "runtime/pages.h"
#include "runtime/plan.h"

namespace ticket::runtime {

// Lays the plan out for this CPU's kernels.  False, with one line in *error, for a plan that
// cannot be run (too large for the offsets, an unknown instruction set in TICKET_ISA).
bool pack(const Plan& plan, PackedBytes* block, std::string* error);

// The same with a choice of the caller's, for tests.
bool pack_cut(const Plan& plan, const std::optional<Cut>& cut, bool moves_always,
              PackedBytes* block, std::string* error);

// Whether these bytes begin like a block of `pack`, made by this build, of this length.
bool is_packed(const void* block, std::size_t size);

// Sizes per image in floats of the one input and the one output.
struct Io {
  std::int64_t input = 0;
  std::int64_t output = 0;
  std::int64_t batch = 0;  // fixed at export, or 0
};
Io io_of(const void* block);

// Runs `images` images: input [images][io.input], output [images][io.output], row-major (C, H, W).
// Safe from several threads on one block.  After a thread's first call nothing is allocated.
// False, with one line in *error, when memory is short.
bool run(const void* block, const float* input, float* output, std::int64_t images, int threads,
         std::string* error);

}  // namespace ticket::runtime
