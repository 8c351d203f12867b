#include "counted_memory.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

// The linker's --wrap sends every call in our objects of `malloc` to `__wrap_malloc`, and ours of
// `__real_malloc` to the true one; see CMakeLists.txt.
extern "C" {
void* __real_malloc(std::size_t size);
void* __real_aligned_alloc(std::size_t alignment, std::size_t size);
void __real_free(void* memory);
void* __wrap_malloc(std::size_t size);
void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size);
void __wrap_free(void* memory);
}

namespace {

std::atomic<std::size_t> held{0};
std::atomic<std::size_t> peak{0};
std::atomic<std::size_t> start{0};

void* counted(void* memory) {
  if (memory == nullptr) return nullptr;
  const std::size_t size = malloc_usable_size(memory);
  const std::size_t now = held.fetch_add(size) + size;
  std::size_t before = peak.load();
  while (before < now && !peak.compare_exchange_weak(before, now)) {
  }
  return memory;
}

void* counted_or_thrown(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return counted(memory);
}

void* aligned(std::size_t size, std::align_val_t alignment) {
  const auto step = static_cast<std::size_t>(alignment);
  if (size > static_cast<std::size_t>(-1) - step) return nullptr;
  return __real_aligned_alloc(step, (size + step - 1) / step * step);
}

}  // namespace

namespace ticket {

void reset_peak() {
  start = held.load();
  peak = held.load();
}

std::size_t peak_bytes() { return peak - start; }

}  // namespace ticket

void* __wrap_malloc(std::size_t size) { return counted(__real_malloc(size)); }

void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size) {
  return counted(__real_aligned_alloc(alignment, size));
}

void __wrap_free(void* memory) {
  if (memory != nullptr) held -= malloc_usable_size(memory);
  __real_free(memory);
}

// Every form, because a sanitizer brings its own of those that are missing here.
void* operator new(std::size_t size) { return counted_or_thrown(__real_malloc(size | 1)); }
void* operator new[](std::size_t size) { return counted_or_thrown(__real_malloc(size | 1)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted_or_thrown(aligned(size, alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return counted_or_thrown(aligned(size, alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return __wrap_malloc(size | 1);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return __wrap_malloc(size | 1);
}
void operator delete(void* memory) noexcept { __wrap_free(memory); }
void operator delete[](void* memory) noexcept { __wrap_free(memory); }
void operator delete(void* memory, std::size_t) noexcept { __wrap_free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { __wrap_free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { __wrap_free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { __wrap_free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { __wrap_free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  __wrap_free(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept { __wrap_free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { __wrap_free(memory); }
