// Threads that wait for work between calls: awake for about a hundred microseconds, then asleep.
#pragma once

namespace ticket::runtime {

// Calls work(context) on the caller's thread and on up to threads - 1 waiting ones, and returns
// when all are done.  The calls share the work out among themselves: there may be fewer than
// `threads`, for other callers' threads are not waited for, and threads may run short.  `work`
// must not throw.  After a fork the child has waiting threads of its own.
void share_work(int threads, void (*work)(void* context), void* context);

}  // namespace ticket::runtime
