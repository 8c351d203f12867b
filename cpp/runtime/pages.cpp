// Memory in large pages where the system has them.
#include "runtime/pages.h"

#include <sys/mman.h>

namespace ticket::runtime {

void prefer_large_pages(void* from, std::size_t bytes) {
#if defined(MADV_HUGEPAGE)
  const auto begin = (reinterpret_cast<std::uintptr_t>(from) + kLargePage - 1) / kLargePage;
  const auto end = (reinterpret_cast<std::uintptr_t>(from) + bytes) / kLargePage;
  if (begin >= end) return;
  // A wish: without it everything works, only slower.
  madvise(reinterpret_cast<void*>(begin * kLargePage), (end - begin) * kLargePage, MADV_HUGEPAGE);
#else
  (void)from;
  (void)bytes;
#endif
}

void* take_pages(std::size_t bytes) {
  const std::size_t alignment = bytes >= kLargePage ? kLargePage : 64;
  const std::size_t rounded = (bytes == 0 ? 1 : bytes + alignment - 1) / alignment * alignment;
  void* const pages = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (pages != nullptr) prefer_large_pages(pages, rounded);
  return pages;
}

}  // namespace ticket::runtime
