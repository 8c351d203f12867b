// The choice of the executor's instruction set, by name or by what this CPU can run.
#include <string_view>

#include "runtime/lanes/lane_kernels.h"

namespace ticket::runtime {

const LaneKernels* lane_kernels(int isa) {
  static const LaneKernels* const tables[] = {
      &lanes_scalar,
#if defined(__x86_64__)
      &lanes_avx2, &lanes_avx512,
#endif
  };
  constexpr int kCount = static_cast<int>(sizeof tables / sizeof tables[0]);
  return isa >= 0 && isa < kCount ? tables[isa] : nullptr;
}

int select_lanes(const char* wanted) {
  const std::string_view name = wanted == nullptr ? "" : wanted;
  for (int isa = kMostIsas - 1; isa >= 0; --isa) {
    const LaneKernels* const kernels = lane_kernels(isa);
    if (kernels == nullptr || !kernels->supported()) continue;
    if (name.empty() || name == kernels->name) return isa;
  }
  return -1;
}

}  // namespace ticket::runtime
