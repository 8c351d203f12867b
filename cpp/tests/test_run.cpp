// Whatever a plan holds, both programs, every instruction set, every batch size and number of
// threads give what plain double-precision loops give.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "cases.h"
#include "check.h"
#include "random_plans.h"
#include "runtime/block.h"
#include "runtime/lanes/lane_kernels.h"
#include "runtime/pack/pack.h"
#include "runtime/run/run.h"

namespace ticket::runtime {
namespace {

using Bytes = PackedBytes;

const char* const kIsas[] = {"scalar", "avx2", "avx512"};

Bytes packed(const Plan& plan, const char* isa) {
  setenv("TICKET_ISA", isa, 1);
  Bytes block;
  std::string error;
  if (!pack(plan, &block, &error)) {
    std::fprintf(stderr, "%s\n", error.c_str());
    std::exit(1);
  }
  CHECK(is_packed(block.data(), block.size()));
  CHECK(!is_packed(block.data(), block.size() - 1));
  return block;
}

// Cut somewhere, and with sums moved, or images in halves, wherever that can be done.
Bytes packed_with_cut(const Plan& plan, unsigned seed) {
  const std::vector<std::uint32_t> values = values_over_cuts(plan);
  Cut cut;
  cut.shared = true;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t at = (seed + i) % values.size();
    if (values[at] == kNone) continue;
    cut.at = at;
    cut.value = values[at];
    break;
  }
  Bytes block;
  std::string error;
  const Shares shares = seed % 3 == 0 ? Shares::kWherePays : Shares::kAlways;
  const Choices choices = seed % 2 == 0
                              ? Choices{cut, Moves::kAlways, Halves::kWherePays, shares}
                              : Choices{cut, Moves::kWherePays, Halves::kAlways, shares};
  CHECK(pack_as(plan, choices, &block, &error));
  return block;
}

std::vector<float> ran(const Bytes& block, const std::vector<float>& input, std::int64_t images,
                       int threads) {
  const Io io = io_of(block.data());
  std::vector<float> output(static_cast<std::size_t>(images * io.output), -77.0f);
  std::string error;
  CHECK(run(block.data(), input.data(), output.data(), images, threads, &error));
  return output;
}

void check_random(unsigned first, unsigned count) {
  int in_blocks = 0, in_two = 0, in_halves = 0;
  double most = 0;
  for (unsigned seed = first; seed < first + count; ++seed) {
    const std::int64_t most_images = seed % 4 == 0 ? 33 : 18;  // two groups of sixteen, or one
    const Case given = case_of(RandomPlan(seed).make(), most_images, seed);
    bool has_blocks = false;
    bool has_front = false;
    bool has_halves = false;
    for (const char* isa : kIsas) {
      if (select_lanes(isa) < 0) continue;
      const Bytes usual = packed(given.plan, isa);
      const Bytes cut = packed_with_cut(given.plan, seed);
      has_blocks = reinterpret_cast<const Header*>(usual.data())->has_blocks != 0;
      has_front = reinterpret_cast<const Header*>(cut.data())->front.step_count > 0;
      has_halves = reinterpret_cast<const Header*>(cut.data())->halves.step_count > 0;
      for (const Bytes* block : {&usual, &cut}) {
        for (const std::int64_t batch : {std::int64_t{1}, std::int64_t{7}, std::int64_t{16},
                                         most_images}) {
          if (block == &cut && batch != 1 && batch != most_images) continue;
          const int threads = batch == most_images ? 2 : 1 + static_cast<int>(seed % 4);
          const double error = worst(given, ran(*block, given.input, batch, threads), batch);
          if (!(error <= 1)) {
            std::fprintf(stderr, "seed %u, %s, %s, batch %d: %g times the allowed\n", seed, isa,
                         block == &cut ? "cut" : "as usual", static_cast<int>(batch), error);
            std::exit(1);
          }
          most = std::max(most, error);
          if (batch == 1) {
            const std::vector<float> first = ran(*block, given.input, 1, 1);
            for (const int many : {2, 4}) {
              CHECK(same_bits(ran(*block, given.input, 1, many), first));
            }
          }
        }
      }
    }
    in_blocks += has_blocks;
    in_two += has_front;
    in_halves += has_halves;
  }
  std::printf("%u networks, %d in blocks, %d in two parts, %d in halves; "
              "largest error %.3f of the allowed\n",
              count, in_blocks, in_two, in_halves, most);
  CHECK(count < 100 || (in_blocks > static_cast<int>(count) / 4));
  CHECK(count < 100 || (in_two > static_cast<int>(count) / 8));
  CHECK(count < 100 || in_halves > 0);
}

Plan one_op(const Shape& in, Op op) {
  Plan plan;
  plan.metadata = "{\"batch\": 3}";
  plan.inputs = {0};
  op.inputs = {0};
  op.output = 1;
  std::vector<Shape> values{in, {}};
  Shape out;
  std::string why;
  CHECK(output_shape(op, values, &out, &why));
  plan.values = {in, out};
  plan.outputs = {1};
  plan.ops = {std::move(op)};
  return plan;
}

void check_not_numbers(const char* isa) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  for (const Act act : {Act::kNone, Act::kRelu, Act::kRelu6}) {
    Op op;
    op.code = Code::kAct;
    op.act = act;
    const std::vector<float> output =
        ran(packed(one_op({1, 4, 1, 1}, op), isa), {nan, inf, -inf, -1.0f}, 1, 1);
    CHECK(std::isnan(output[0]));
    CHECK(output[1] == (act == Act::kRelu6 ? 6.0f : inf));
    CHECK(output[2] == (act == Act::kNone ? -inf : 0.0f));
  }
  Op pool;
  pool.code = Code::kMaxPool;
  pool.window.kernel_w = 2;
  pool.window.pad_left = pool.window.pad_right = 1;
  const std::vector<float> output =
      ran(packed(one_op({3, 1, 1, 4}, pool), isa), {-3.0f, nan, -1.0f, -2.0f}, 1, 1);
  CHECK(output[0] == -3.0f && std::isnan(output[1]) && std::isnan(output[2]));
  CHECK(output[3] == -1.0f && output[4] == -2.0f);
}

void check_refusals() {
  Op op;
  op.code = Code::kAct;
  const Plan plan = one_op({1, 4, 1, 1}, op);
  Bytes block;
  std::string error;
  setenv("TICKET_ISA", "sse9", 1);
  CHECK(!pack(plan, &block, &error));
  CHECK(error.find("sse9") != std::string::npos && error.find('\n') == std::string::npos);
  unsetenv("TICKET_ISA");
  CHECK(pack(plan, &block, &error));
  CHECK(io_of(block.data()).batch == 3 && io_of(block.data()).input == 4);
  CHECK(!is_packed(block.data(), 8) && !is_packed("short", 5));
  block[0] ^= 1;
  CHECK(!is_packed(block.data(), block.size()));
}

// Equal plans make equal blocks, which may be moved.
void check_position_independent() {
  const Case given = case_of(RandomPlan(3).make(), 5, 3);
  const Bytes block = packed(given.plan, "scalar");
  CHECK(block == packed(given.plan, "scalar"));
  Bytes moved(block.size() + 64);
  std::memcpy(moved.data() + 64, block.data(), block.size());
  std::vector<float> output(5 * given.expected[0].output.size());
  std::string error;
  CHECK(run(moved.data() + 64, given.input.data(), output.data(), 5, 1, &error));
  CHECK(worst(given, output, 5) <= 1);
}

void append_row_conv(Plan& plan, std::uint32_t kernel, std::uint32_t left, std::uint32_t right) {
  Op op;
  op.code = Code::kConv;
  op.inputs = {static_cast<std::uint32_t>(plan.values.size()) - 1};
  op.output = op.inputs[0] + 1;
  op.in_channels = op.out_channels = 1;
  op.window.kernel_w = kernel;
  op.window.pad_left = left;
  op.window.pad_right = right;
  op.weights.total = kernel;
  for (std::uint32_t i = 0; i < kernel; ++i) {
    op.weights.positions.push_back(i);
    op.weights.values.push_back(0.5f + static_cast<float>(i));
  }
  Shape out;
  std::string why;
  CHECK(output_shape(op, plan.values, &out, &why));
  plan.values.push_back(out);
  plan.ops.push_back(std::move(op));
}

// Images of 5 and of 7 columns whose rows are 8 vectors apart, one after the other: the second
// one's pixels must not become the first one's zeros when it runs again.
void check_halos_stay_zero(const char* isa) {
  Plan plan;
  plan.metadata = "{}";
  plan.inputs = {0};
  plan.values = {{3, 1, 4, 7}};
  append_row_conv(plan, 3, 0, 0);
  append_row_conv(plan, 5, 1, 3);
  append_row_conv(plan, 1, 1, 1);
  append_row_conv(plan, 3, 1, 1);
  plan.outputs = {4};
  const Case given = case_of(plan, 16, 9);
  const Bytes block = packed(given.plan, isa);
  for (int round = 0; round < 3; ++round) {
    CHECK(worst(given, ran(block, given.input, 16, 1), 16) <= 1);
  }
}

// Eight callers on three blocks, each with two threads of its own.
void check_many_callers() {
  std::vector<Case> cases;
  std::vector<Bytes> blocks;
  for (unsigned seed = 40; seed < 43; ++seed) {
    cases.push_back(case_of(RandomPlan(seed).make(), 20, seed));
    unsetenv("TICKET_ISA");
    blocks.push_back(packed(cases.back().plan, ""));
  }
  std::vector<std::thread> callers;
  for (unsigned caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&, caller] {
      for (unsigned round = 0; round < 20; ++round) {
        const std::size_t which = (caller + round) % cases.size();
        const std::int64_t batch = 1 + (7 * round + caller) % 20;
        CHECK(worst(cases[which], ran(blocks[which], cases[which].input, batch, 2), batch) <= 1);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

}  // namespace
}  // namespace ticket::runtime

// With two numbers: that many random networks from that seed on.
int main(int count, char** arguments) {
  using namespace ticket::runtime;
  if (count == 3) {
    check_random(static_cast<unsigned>(std::atoi(arguments[1])),
                 static_cast<unsigned>(std::atoi(arguments[2])));
    return 0;
  }
  check_refusals();
  for (const char* isa : kIsas) {
    const bool runs = select_lanes(isa) >= 0;
    std::printf("%s: %s\n", isa, runs ? "tested" : "not on this CPU");
    if (!runs) continue;
    check_not_numbers(isa);
    check_halos_stay_zero(isa);
  }
  check_position_independent();
  check_many_callers();
  check_random(1, 110);
}
