// Memory in large pages where the system has them: a network's weights are read from end to end at
// every call, and small pages cost a look-up each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

namespace ticket::runtime {

constexpr std::size_t kLargePage = std::size_t{2} << 20;

// Asks for large pages from `from` on; what was not written to yet gets them.
void prefer_large_pages(void* from, std::size_t bytes);

// Aligned to 64 bytes, in large pages if it is large; null if memory is short.
void* take_pages(std::size_t bytes);

template <typename T>
struct InPages {
  using value_type = T;

  InPages() = default;
  template <typename Other>
  InPages(const InPages<Other>&) {}

  T* allocate(std::size_t count) {
    void* const pages = take_pages(count * sizeof(T));
    if (pages == nullptr) throw std::bad_alloc();
    return static_cast<T*>(pages);
  }

  void deallocate(T* pages, std::size_t) { std::free(pages); }

  template <typename Other>
  bool operator==(const InPages<Other>&) const {
    return true;
  }
  template <typename Other>
  bool operator!=(const InPages<Other>&) const {
    return false;
  }
};

using PackedBytes = std::vector<std::uint8_t, InPages<std::uint8_t>>;

}  // namespace ticket::runtime
