// Work split over threads that live for one call.
#include "threads.h"

#include <algorithm>
#include <system_error>
#include <thread>
#include <vector>

namespace ticket {

int useful_threads(std::int64_t size, int wanted) {
  constexpr std::int64_t kLeastShare = std::int64_t{1} << 20;
  return static_cast<int>(
      std::max<std::int64_t>(1, std::min<std::int64_t>(wanted, size / kLeastShare)));
}

void run_threads(int threads, const std::function<void(int)>& work) {
  std::vector<std::thread> started;
  started.reserve(static_cast<std::size_t>(threads));
  int next = 1;
  try {
    for (; next < threads; ++next) started.emplace_back(work, next);
  } catch (const std::system_error&) {
    // The limit on threads is reached: slower, but the same result.
  }
  work(0);
  for (; next < threads; ++next) work(next);
  for (std::thread& thread : started) thread.join();
}

}  // namespace ticket
