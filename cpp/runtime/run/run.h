// Runs a packed block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "runtime/block.h"

namespace ticket::runtime {

// Whether these bytes begin like a block of `pack`, made by this build, of this length.
bool is_packed(const void* block, std::size_t size);

Io io_of(const void* block);

// Runs `images` images: input [images][io.input], output [images][io.output], row-major (C, H, W).
// Safe from several threads on one block.  After a thread's first call nothing is allocated.
// False, with one line in *error, when memory is short.
bool run(const void* block, const float* input, float* output, std::int64_t images, int threads,
         std::string* error);

}  // namespace ticket::runtime
