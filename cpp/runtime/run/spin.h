// What a thread does between two looks at what it waits for.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ticket::runtime {

// Some tens of nanoseconds, in which the core's other work goes on.
inline void spin_pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

}  // namespace ticket::runtime
