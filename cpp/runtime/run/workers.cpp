// Threads that wait for work between calls.
#include "runtime/run/workers.h"

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "runtime/run/spin.h"

namespace ticket::runtime {
namespace {

constexpr int kMostWorkers = 256;

// To wake a sleeping thread takes tens of microseconds, a large part of a call on one image.  So
// who waits looks for about a hundred first, and calls that follow each other find all awake.
constexpr int kLooks = 4000;

// One waiting thread and the call it was last given.
struct Worker {
  std::mutex mutex;
  std::condition_variable changed;
  std::atomic<Work> work{nullptr};  // set: do it
  void* context = nullptr;
  int number = 0;  // among the call's threads
  Worker* next_idle = nullptr;

  [[noreturn]] void serve() {
    for (;;) {
      await([this] { return work.load(std::memory_order_acquire) != nullptr; });
      work.load(std::memory_order_relaxed)(context, number);
      set(nullptr);
    }
  }

  void give(Work todo, void* with, int as) {
    context = with;
    number = as;
    set(todo);
  }

  void wait() {
    await([this] { return work.load(std::memory_order_acquire) == nullptr; });
  }

  template <typename Ready>
  void await(const Ready& ready) {
    for (int looks = 0; looks < kLooks; ++looks) {
      if (ready()) return;
      spin_pause();
    }
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, ready);
  }

  // Under the mutex, or who has just looked would fall asleep over it.
  void set(Work todo) {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      work.store(todo, std::memory_order_release);
    }
    changed.notify_all();
  }
};

// Of one process: a fork's child has none of its parent's threads and makes its own pool.
struct Pool {
  const pid_t process = getpid();
  std::mutex mutex;
  Worker* idle = nullptr;
  int started = 0;

  // An idle worker, a new one, or null.
  Worker* take() {
    const std::lock_guard<std::mutex> lock(mutex);
    if (Worker* const worker = idle) {
      idle = worker->next_idle;
      return worker;
    }
    if (started == kMostWorkers) return nullptr;
    try {
      auto worker = std::make_unique<Worker>();
      std::thread([serving = worker.get()] { serving->serve(); }).detach();
      ++started;
      return worker.release();  // as long-lived as its thread
    } catch (const std::system_error&) {
      return nullptr;
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }

  void give_back(Worker* worker) {
    const std::lock_guard<std::mutex> lock(mutex);
    worker->next_idle = idle;
    idle = worker;
  }
};

// Never destroyed: its threads may outlive any order of destruction.
Pool* pool() {
  static std::atomic<Pool*> current{nullptr};
  Pool* found = current.load(std::memory_order_acquire);
  while (found == nullptr || found->process != getpid()) {
    auto made = std::make_unique<Pool>();
    if (current.compare_exchange_strong(found, made.get(), std::memory_order_acq_rel)) {
      return made.release();
    }
  }
  return found;
}

// Gives the work to one worker and the rest of the threads to the next level of the stack, which
// so holds the list of workers without taking memory.  `number` is the next worker's.
void share_among(Pool* from, int threads, int number, Work work, void* context) {
  Worker* const worker = number < threads ? from->take() : nullptr;
  if (worker == nullptr) return work(context, 0);
  worker->give(work, context, number);
  share_among(from, threads, number + 1, work, context);
  worker->wait();
  from->give_back(worker);
}

}  // namespace

void share_work(int threads, Work work, void* context) {
  if (threads <= 1) return work(context, 0);
  share_among(pool(), threads, 1, work, context);
}

}  // namespace ticket::runtime
