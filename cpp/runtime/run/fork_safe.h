// What all threads of a process share, and what a fork leaves whole.
#pragma once

#include <pthread.h>

#include <mutex>

namespace ticket::runtime {

// The one T of a process, behind a lock.  It is never destroyed: a thread may still run a network
// while the process ends.  A fork waits until nobody holds the lock, and its child finds it free:
// whoever else held it would not be there to let go.
template <typename T>
class ForkSafe {
 public:
  // Gives use(value) under the lock.  `use` must not use another ForkSafe.
  template <typename Use>
  static auto with(const Use& use) {
    static_cast<void>(&kAtLoad);  // or it would not be there
    ForkSafe& one = only();
    const std::lock_guard<std::mutex> lock(one.mutex_);
    return use(one.value_);
  }

 private:
  static ForkSafe& only() {
    static ForkSafe* const one = make();
    return *one;
  }

  static ForkSafe* make() {
    pthread_atfork([] { only().mutex_.lock(); }, [] { only().mutex_.unlock(); },
                   [] { only().mutex_.unlock(); });
    return new ForkSafe;
  }

  // Made while the library is loaded: a fork while the first call makes it would leave it half
  // made.
  inline static const ForkSafe* const kAtLoad = &only();

  std::mutex mutex_;
  T value_;
};

}  // namespace ticket::runtime
