// A plan run in double precision, one image, one loop after the other: what the executor must
// agree with.
#pragma once

#include <vector>

#include "runtime/plan/plan.h"

namespace ticket::runtime {

using Doubles = std::vector<double>;

// The output for one image, and the largest magnitude that occurs, the input included.
struct ReferenceResult {
  Doubles output;
  double largest = 0;
};

ReferenceResult reference_run(const Plan& plan, const float* image);

}  // namespace ticket::runtime
