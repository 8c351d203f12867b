// What decode says of bytes, for the tests of plans.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "check.h"
#include "runtime/plan/plan.h"

namespace ticket::runtime {

using Bytes = std::vector<std::uint8_t>;

inline std::string error_of(const Bytes& bytes) {
  Plan plan;
  std::string error;
  const bool good = decode(bytes.data(), bytes.size(), &plan, &error);
  CHECK(good == error.empty());
  CHECK(error.find('\n') == std::string::npos);
  if (!good) CHECK(plan.values.empty() && plan.ops.empty());
  return error;
}

inline void check_text(const std::string& error, const std::string& wanted) {
  if (error.find(wanted) != std::string::npos) return;
  std::fprintf(stderr, "wanted: %s\ngot:    %s\n", wanted.c_str(), error.c_str());
  std::exit(1);
}

inline void check_error(const Bytes& bytes, const std::string& wanted) {
  check_text(error_of(bytes), wanted);
}

}  // namespace ticket::runtime
