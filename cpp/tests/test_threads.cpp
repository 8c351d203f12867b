// One model serves eight threads at once, each run alone or split over threads of its own, with
// the answers of one thread; models come and go meanwhile; one image is shared by rows and by
// channels.  The thread sanitizer's build runs this, too.
#include <atomic>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "networks.h"
#include "runtime/plan/plan.h"
#include "runtime/run/workers.h"
#include "sample_plans.h"
#include "ticket_runtime.hpp"

namespace {

using ticket::Model;

constexpr int kThreads = 8;
constexpr int kRounds = 12;

Model load(const ticket::runtime::Plan& plan) {
  const std::vector<std::uint8_t> bytes = encode(plan);
  return Model(bytes.data(), bytes.size());
}

std::vector<float> pixels(const Model& model, int images) {
  std::size_t size = static_cast<std::size_t>(images);
  for (const std::int64_t dim : model.input_shape()) size *= static_cast<std::size_t>(dim);
  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i) {
    values[i] = static_cast<float>(i * 37 % 101) / 50.0f - 1.0f;
  }
  return values;
}

bool close(const std::vector<float>& a, const std::vector<float>& b) {
  float largest = 1.0f;
  for (const float value : b) largest = std::fmax(largest, std::fabs(value));
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(std::fabs(a[i] - b[i]) <= 1e-4f * largest)) return false;
  }
  return a.size() == b.size();
}

// What one of the eight does; `expected[n]` is the answer for n images.
void work(const Model& model, const std::vector<std::vector<float>>& expected, int number) {
  for (int round = 0; round < kRounds; ++round) {
    const int images = 1 + (number * 5 + round * 7) % 36;
    const std::vector<float> input = pixels(model, images);
    CHECK(close(model.run(input, 1 + round % 3), expected[static_cast<std::size_t>(images)]));
    const std::string wrong(static_cast<std::size_t>(number) + 1, 'x');
    CHECK(ticket_load_bytes(wrong.data(), wrong.size()) == nullptr);
    CHECK(std::string(ticket_last_error()).find("TKTPLAN") != std::string::npos);
    if (round % 4 == 0) {
      const auto size = 20 + 2 * static_cast<std::uint32_t>(number);
      const Model own = load(ticket::runtime::rows_network(1, size));
      CHECK(own.classes().size() == 10 && own.run(pixels(own, 2), 2).size() == 20);
    }
  }
}

void check_model(const Model& model) {
  std::vector<std::vector<float>> expected(1);
  for (int images = 1; images <= 36; ++images) expected.push_back(model.run(pixels(model, images)));
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&, number] { work(model, expected, number); });
  }
  for (std::thread& thread : threads) thread.join();
}

// Layers whose rows threads share, among them a dense one, and layers whose channels.
void check_one_image() {
  using ticket::runtime::Act;
  ticket::runtime::Builder b;
  b.plan.values.push_back({3, 3, 32, 32});
  const std::uint32_t stem = b.conv(0, 16, 5, 1, ticket::runtime::kNone, Act::kRelu);
  const std::uint32_t first = b.conv(stem, 18, 3, 1, ticket::runtime::kNone, Act::kRelu);
  const std::uint32_t second = b.conv(first, 18, 3, 1, first, Act::kRelu6);
  const std::uint32_t third = b.conv(second, 32, 3, 2, ticket::runtime::kNone, Act::kRelu);
  const std::uint32_t last = b.conv(third, 24, 3, 2, ticket::runtime::kNone, Act::kNone);
  b.finish(last, 0.3);
  b.plan.ops[0].dense = true;
  const Model model = load(b.plan);
  const std::vector<float> input = pixels(model, 1);
  const std::vector<float> expected = model.run(input, 1);
  for (int call = 0; call < 60; ++call) {
    for (const int threads : {2, 4}) CHECK(model.run(input, threads) == expected);
  }
}

void check_wrapper() {
  const Model model = load(ticket::runtime::rows_network(1, 20));
  CHECK((model.input_shape() == std::vector<std::int64_t>{1, 20, 20}));
  CHECK((model.output_shape() == std::vector<std::int64_t>{10}));
  CHECK(model.takes_pixels() && model.batch() == 0 && model.run({}).empty());
  try {
    model.run(std::vector<float>(401));
    CHECK(false);
  } catch (const std::invalid_argument& error) {
    CHECK(std::string(error.what()).find("401 floats") != std::string::npos);
  }
  try {
    const Model absent("no/such/file.tkt");
    CHECK(false);
  } catch (const std::runtime_error& error) {
    CHECK(std::string(error.what()).find("no/such/file.tkt: No such file") == 0);
  }
}

// The caller is number 0, the others have numbers of their own, at each call again.
void check_numbers() {
  struct Called {
    const std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> times[kThreads] = {};
  };
  for (int round = 0; round < kRounds; ++round) {
    const int threads = 1 + round % kThreads;
    Called called;
    ticket::runtime::share_work(
        threads,
        [](void* context, int thread) {
          auto* const told = static_cast<Called*>(context);
          CHECK((thread == 0) == (std::this_thread::get_id() == told->caller));
          ++told->times[thread];
        },
        &called);
    CHECK(called.times[0] == 1);
    for (int i = 0; i < kThreads; ++i) CHECK(called.times[i] <= (i < threads ? 1 : 0));
  }
}

}  // namespace

int main() {
  check_numbers();
  check_wrapper();
  check_one_image();
  check_model(load(ticket::runtime::residual_network()));
  check_model(load(ticket::runtime::branched_network()));
}
