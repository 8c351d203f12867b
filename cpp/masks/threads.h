// Work split over threads that live for one call: nothing survives it, so fork is safe.
#pragma once

#include <cstdint>
#include <functional>

namespace ticket {

// How many threads are worth starting for `size` elements: 1..wanted.  A thread costs some 30 us
// to start and finish, while the least share, 2^20 elements, takes about 0.3 ms to stream.
int useful_threads(std::int64_t size, int wanted);

// Calls work(0) ... work(threads - 1), each once, work(0) on the caller's thread, and returns
// when all are done.  Where no thread can be started the caller does its share.  work must not
// throw.
void run_threads(int threads, const std::function<void(int)>& work);

}  // namespace ticket
