// A program's steps, one by one or all in a row.
#pragma once

#include <cstdint>

#include "runtime/records.h"
#include "runtime/lanes/lane_kernels.h"

namespace ticket::runtime {

// Up to sixteen images of the caller's.
struct Images {
  const float* input = nullptr;
  float* output = nullptr;
  std::int64_t input_size = 0, output_size = 0;  // floats of an image
  int count = 0;
};

// One share of one step; all shares of a step must be done before the next one begins.
void run_step(const Program& program, std::int64_t number, const Share& share,
              const LaneKernels& kernels, const void* block, float* arena, const Images& images);

void run_steps(const Program& program, const LaneKernels& kernels, const void* block, float* arena,
               const Images& images);

}  // namespace ticket::runtime
