// Threads that wait for work between calls: awake for about a hundred microseconds, then asleep.
#pragma once

namespace ticket::runtime {

// Must not throw.  `thread`: the caller is 0, each of the others has a number below `threads`.
using Work = void (*)(void* context, int thread);

// Calls work(context, thread) on the caller's thread and on up to threads - 1 waiting ones, and
// returns when all are done.  The calls share the work out among themselves: there may be fewer
// than `threads`, for other callers' threads are not waited for, and threads may run short.
// After a fork the child has waiting threads of its own.
void share_work(int threads, Work work, void* context);

}  // namespace ticket::runtime
