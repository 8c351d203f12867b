// Convolutions and pools down to at most four pixels, and on from there, give what plain
// double-precision loops give, on one image by any number of threads: images of each such shape,
// from larger ones and from as few pixels, in groups, with residuals, into vectors; and where they
// must not lie plain.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "cases.h"
#include "check.h"
#include "networks.h"
#include "runtime/block.h"
#include "runtime/lanes/lane_kernels.h"
#include "runtime/pack/pack.h"
#include "runtime/run/run.h"

namespace ticket::runtime {
namespace {

struct Size {
  std::uint32_t height, width;  // of the large image
  std::uint32_t stride;         // to the few pixels
};

std::uint32_t with(Builder& b, Code code, std::vector<std::uint32_t> inputs, Act act) {
  Op op;
  op.code = code;
  op.inputs = std::move(inputs);
  op.act = act;
  if (code == Code::kMaxPool || code == Code::kAvgPool) {
    op.window.kernel_h = op.window.kernel_w = 2;
    op.window.pad_top = op.window.pad_left = 1;
    op.count_include_pad = op.inputs[0] % 2 == 0;
  }
  if (code == Code::kAffine) {
    op.scale.assign(b.plan.values[op.inputs[0]].channels, -0.5f);
    op.shift.assign(b.plan.values[op.inputs[0]].channels, 0.25f);
  }
  return b.add(std::move(op));
}

// Large to few, few to few in all ways, to a vector or not.
Plan network(const Size& size, unsigned seed) {
  Builder b;
  b.random.seed(seed);
  b.plan.values.push_back({3, 6, size.height, size.width});
  const std::uint32_t channels = 10 + 5 * (seed % 4);
  const std::uint32_t large = b.conv(0, channels, 3, 1, kNone, Act::kRelu);
  const std::uint32_t few = b.conv(large, channels, 3, size.stride, kNone, Act::kRelu6);
  const std::uint32_t again = b.conv(few, channels, 3, 1, few, Act::kRelu);
  const std::uint32_t wide = b.conv(again, 2 * channels, 5, 1, kNone, Act::kNone);
  const std::uint32_t narrow = b.conv(wide, channels, 1, 1, again, Act::kNone);
  const std::uint32_t depthwise = b.conv(narrow, channels, 3, 1, kNone, Act::kRelu);
  b.plan.ops.back().groups = channels;
  const Code pool = seed % 2 == 0 ? Code::kMaxPool : Code::kAvgPool;
  const std::uint32_t pooled = with(b, pool, {depthwise}, Act::kNone);
  const std::uint32_t sum = with(b, Code::kAdd, {pooled, narrow}, Act::kRelu);
  const std::uint32_t both = with(b, Code::kConcat, {sum, few}, Act::kNone);
  const std::uint32_t scaled = with(b, Code::kAffine, {both}, Act::kNone);
  const std::uint32_t last = seed % 3 == 0 ? scaled : b.linear(b.mean(scaled), 9, Act::kNone);
  b.finish(last, 0.2);
  for (Op& op : b.plan.ops) op.dense = false;
  return std::move(b.plan);
}

int column_steps(const PackedBytes& block) {
  const Program& program = inside<Header>(block.data(), 0)->blocks;
  int count = 0;
  for (std::int64_t i = 0; i < program.step_count; ++i) {
    count += inside<Step>(block.data(), program.steps)[i].kind == Kind::kColumnConv;
  }
  return count;
}

PackedBytes packed(const Plan& plan) {
  PackedBytes block;
  std::string error;
  Cut shared;
  shared.shared = true;
  CHECK(pack_as(plan, {shared}, &block, &error));
  return block;
}

double largest_error(const Case& given, const PackedBytes& block) {
  double most = 0;
  for (const int threads : {1, 2, 4}) {
    std::vector<float> output(given.expected[0].output.size(), -77.0f);
    std::string error;
    CHECK(run(block.data(), given.input.data(), output.data(), 1, threads, &error));
    most = std::max(most, worst(given, output, 1));
  }
  return most;
}

void check_agreement(const char* isa) {
  const Size sizes[] = {{4, 4, 2}, {8, 8, 4},  {4, 8, 4},   {2, 2, 1}, {1, 4, 1}, {4, 1, 1},
                        {3, 1, 1}, {1, 2, 1}, {16, 16, 8}, {5, 3, 3}, {7, 7, 5}};
  double most = 0;
  unsigned seed = 0;
  for (const Size& size : sizes) {
    for (int turn = 0; turn < 2; ++turn) {
      ++seed;
      const Case given = case_of(network(size, seed), 1, seed);
      const PackedBytes block = packed(given.plan);
      CHECK(column_steps(block) >= 5);
      most = std::max(most, largest_error(given, block));
      CHECK(most <= 1);
    }
  }
  std::printf("%s: %u networks; largest error %.3f of the allowed\n", isa, seed, most);
}

// A dense convolution, one back to more pixels, a channel's factor: all stay in blocks.
void check_where_not(const char* isa) {
  for (const int why : {0, 1, 2}) {
    Builder b;
    b.plan.values.push_back({3, 5, 8, 8});
    std::uint32_t x = b.conv(0, 8, 3, 4, kNone, Act::kRelu);
    if (why == 1) {
      x = b.conv(x, 8, 3, 1, kNone, Act::kNone);
      b.plan.ops.back().window.pad_top = b.plan.ops.back().window.pad_bottom = 3;
      b.plan.values[x].height = 6;
    }
    if (why == 2) {
      const std::uint32_t mean = with(b, Code::kGlobalAvg, {x}, Act::kNone);
      x = with(b, Code::kMul, {x, mean}, Act::kRelu);
    }
    b.finish(x, 0.5);
    for (Op& op : b.plan.ops) op.dense = why == 0;
    const Case given = case_of(std::move(b.plan), 1, 3);
    const PackedBytes block = packed(given.plan);
    CHECK(column_steps(block) == 0 && largest_error(given, block) <= 1);
  }
  std::printf("%s: stays in blocks where it must\n", isa);
}

}  // namespace
}  // namespace ticket::runtime

int main() {
  using namespace ticket::runtime;
  for (const char* isa : {"scalar", "avx2", "avx512"}) {
    if (select_lanes(isa) < 0) continue;
    setenv("TICKET_ISA", isa, 1);
    check_agreement(isa);
    check_where_not(isa);
  }
}
