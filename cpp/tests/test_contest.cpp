// Whether several threads pay is found out from a few calls, and again when the machine changes.
#include <cstdio>
#include <string>
#include <vector>

#include "check.h"
#include "networks.h"
#include "runtime/pack/cut.h"
#include "runtime/pack/pack.h"
#include "runtime/run/contest.h"
#include "runtime/run/run.h"

namespace ticket::runtime {
namespace {

constexpr int kSoon = 100;    // calls in which all is decided
constexpr int kSteady = 500;  // after them, before the next tries

// How many calls went each way.
struct Ways {
  int one = 0, many = 0;
};

// Calls of which one thread takes `one` seconds and several `many`.
Ways play(Contest& contest, int calls, double one, double many) {
  Ways ways;
  for (int i = 0; i < calls; ++i) {
    const bool went = contest.many();
    ++(went ? ways.many : ways.one);
    contest.told(went, went ? many : one);
  }
  return ways;
}

void check_choice() {
  Contest slower;
  Ways ways = play(slower, kSoon, 1e-4, 2e-4);
  CHECK(ways.one >= 24 && ways.many >= 24);
  ways = play(slower, kSteady, 1e-4, 2e-4);
  CHECK(ways.many == 0);

  Contest faster;
  play(faster, kSoon, 1e-4, 0.6e-4);
  ways = play(faster, kSteady, 1e-4, 0.6e-4);
  CHECK(ways.one == 0);

  Contest equal;  // then one core is enough
  play(equal, kSoon, 1e-4, 1e-4);
  ways = play(equal, kSteady, 1e-4, 1e-4);
  CHECK(ways.many == 0);
}

void check_long_calls_are_not_tried() {
  for (const double many : {1.2e-3, 10e-3}) {
    Contest contest;
    CHECK(play(contest, 1000, 2 * many, many).one == 0);
    CHECK(play(contest, 1000, many / 2, many).one == 0);  // a moment when one would be faster
  }
}

void check_a_first_slow_call_decides_nothing() {
  Contest contest;
  contest.told(contest.many(), 1.0);
  play(contest, kSoon, 1e-4, 2e-4);
  CHECK(play(contest, kSteady, 1e-4, 2e-4).many == 0);
}

void check_change() {
  Contest contest;
  play(contest, 700, 1e-4, 2e-4);
  play(contest, kSoon, 1e-4, 0.5e-4);
  CHECK(play(contest, kSteady, 1e-4, 0.5e-4).one == 0);
}

// Of calls that overlap only those count that went the way whose turn it is.
void check_overlap() {
  Contest contest;
  play(contest, 3 + 8, 1e-4, 2e-4);  // the first block is over
  CHECK(contest.many());
  for (int i = 0; i < 1000; ++i) contest.told(false, 1e-9);
  CHECK(contest.many());
  play(contest, kSoon, 1e-4, 0.5e-4);
  CHECK(play(contest, kSteady, 1e-4, 0.5e-4).one == 0);
}

void check_tries() {
  for (const int threads : {0, 1}) CHECK(!Try(1, 1, threads).many());
  CHECK(Try(1, 1, 2).many());
  for (std::uint64_t plan = 2; plan < 300; ++plan) CHECK(Try(plan, 1, 2).many());
}

// While it is tried, and after, each call gives the same bits: of one image, of part groups, of
// groups, with channels that do not divide by the threads.
void check_bits(Halves halves) {
  Builder b;
  b.plan.values.push_back({3, 5, 8, 8});
  const std::uint32_t first = b.conv(0, 19, 3, 1, kNone, Act::kRelu);
  const std::uint32_t second = b.conv(first, 19, 3, 1, first, Act::kRelu);
  const std::uint32_t last = b.conv(second, 11, 3, 2, kNone, Act::kNone);
  b.finish(last, 0.3);
  Cut cut;
  cut.shared = true;
  PackedBytes block;
  std::string error;
  CHECK(pack_as(b.plan, {cut, Moves::kWherePays, halves}, &block, &error));
  for (const std::int64_t images : {1, 7, 40}) {
    std::vector<float> input(static_cast<std::size_t>(images * io_of(block.data()).input));
    for (std::size_t i = 0; i < input.size(); ++i) {
      input[i] = static_cast<float>(i * 37 % 101) / 50.0f - 1.0f;
    }
    std::vector<float> expected(static_cast<std::size_t>(images * io_of(block.data()).output));
    for (const int threads : {2, 3, 4}) {
      CHECK(run(block.data(), input.data(), expected.data(), images, threads, &error));
      for (int call = 0; call < kSoon; ++call) {
        std::vector<float> output(expected.size(), -77.0f);
        CHECK(run(block.data(), input.data(), output.data(), images, threads, &error));
        CHECK(output == expected);
      }
    }
  }
}

}  // namespace
}  // namespace ticket::runtime

int main() {
  using namespace ticket::runtime;
  check_choice();
  check_long_calls_are_not_tried();
  check_a_first_slow_call_decides_nothing();
  check_change();
  check_overlap();
  check_tries();
  for (const Halves halves : {Halves::kWherePays, Halves::kAlways}) check_bits(halves);
  std::puts("contests: decided");
}
