// Children that are forked while other threads run a network run it too, with threads of their own,
// and get the same.
// Whoever forks at a moment when one of these holds a lock would leave it locked in the child.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include "check.h"
#include "sample_plans.h"
#include "ticket_runtime.hpp"

namespace {

constexpr int kSide = 20;  // of the image
constexpr int kPixels = kSide * kSide, kClasses = 10;
constexpr int kForks = 300;
constexpr int kBusy = 3;           // threads beside the one that forks
constexpr unsigned kLongest = 20;  // seconds, until a child that hangs is ended

// Without an allocation in its loop: the sanitizer's own locks are not what is tested.
void run_all_the_time(const ticket::Model& model, int threads, std::atomic<int>& running,
                      const std::atomic<bool>& stop) {
  std::vector<float> input(2 * kPixels), output(2 * kClasses);
  model.run(input.data(), 2, output.data(), threads);
  ++running;
  while (!stop) model.run(input.data(), 2, output.data(), threads);
}

// What a child does: two images, and as many threads.
std::vector<float> scores(const ticket::Model& model) {
  std::vector<float> input(2 * kPixels);
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i % 255);
  return model.run(input, 2);
}

}  // namespace

int main() {
  const std::vector<std::uint8_t> bytes = encode(ticket::runtime::rows_network(1, kSide));
  const ticket::Model model(bytes.data(), bytes.size());
  const std::vector<float> expected = scores(model);
  std::atomic<int> running{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> busy;
  for (int i = 0; i < kBusy; ++i) {
    busy.emplace_back(
        [&, threads = 1 + i % 2] { run_all_the_time(model, threads, running, stop); });
  }
  while (running < kBusy) std::this_thread::yield();
  for (int i = 0; i < kForks; ++i) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      alarm(kLongest);
      _exit(scores(model) == expected ? 0 : 1);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  stop = true;
  for (std::thread& thread : busy) thread.join();
  std::puts("forks: their children ran");
}
