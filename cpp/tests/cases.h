// Plans with inputs and what the reference makes of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "reference.h"
#include "runtime/plan/plan.h"

namespace ticket::runtime {

struct Case {
  Plan plan;
  std::vector<float> input;
  std::vector<ReferenceResult> expected;  // of each image
};

inline Case case_of(Plan plan, std::int64_t images, unsigned seed) {
  Case result;
  result.plan = std::move(plan);
  const std::int64_t size = result.plan.values[result.plan.inputs[0]].size();
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  result.input.resize(static_cast<std::size_t>(images * size));
  for (float& value : result.input) value = normal(random);
  for (std::int64_t i = 0; i < images; ++i) {
    result.expected.push_back(reference_run(result.plan, result.input.data() + i * size));
  }
  return result;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// The largest error of an image, as a part of what is allowed.
inline double worst(const Case& given, const std::vector<float>& output, std::int64_t images) {
  const std::size_t size = given.expected[0].output.size();
  double result = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(images); ++i) {
    const ReferenceResult& expected = given.expected[i];
    double largest = 0;
    double error = 0;
    for (std::size_t k = 0; k < size; ++k) {
      const double wanted = expected.output[k];
      const double got = output[i * size + k];
      if (std::isnan(wanted) || std::isinf(wanted)) {
        if (std::isnan(wanted) ? !std::isnan(got) : got != wanted) return 1e30;
        continue;
      }
      if (!std::isfinite(got)) return 1e30;
      largest = std::max(largest, std::fabs(wanted));
      error = std::max(error, std::fabs(got - wanted));
    }
    // Where large values cancel, what is left has their rounding errors.
    const double allowed = 1e-5 * largest + 1e-6 * expected.largest + 1e-30;
    result = std::max(result, error / allowed);
  }
  return result;
}

}  // namespace ticket::runtime
