// The choice of instruction set, once, by name or by what this CPU can run.
#include <string_view>

#include "kernels.h"

namespace ticket {

const Kernels* select_kernels(const char* wanted) {
  static const Kernels* const best_first[] = {
#if defined(__x86_64__)
      &avx512, &avx2,
#endif
      &scalar};
  const std::string_view name = wanted == nullptr ? "" : wanted;
  for (const Kernels* kernels : best_first) {
    if ((name.empty() || name == kernels->name) && kernels->supported()) return kernels;
  }
  return nullptr;
}

}  // namespace ticket
