// A run of taps, a filter or a row that is filled up, because taps or rows go together, gives what
// its own taps give, of infinite inputs, too.
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "check.h"
#include "networks.h"
#include "runtime/lanes/lane_kernels.h"
#include "runtime/pack/cut.h"
#include "runtime/pack/pack.h"
#include "runtime/run/run.h"

namespace ticket::runtime {
namespace {

constexpr std::int64_t kImages = 16;

// Ready to run: the one operation of `b`, which has all but its number of weights.
PackedBytes packed(Builder& b) {
  b.plan.metadata = "{}";
  b.plan.inputs = {0};
  b.plan.outputs = {1};
  b.plan.ops[0].weights.total = weight_count(b.plan.ops[0]);
  PackedBytes block;
  std::string error;
  CHECK(pack_as(b.plan, {Cut{}, Moves::kAlways}, &block, &error));
  return block;
}

// These weights from position `first` on.
void set_weights(Op* op, std::int64_t first, const std::vector<float>& weights) {
  for (std::size_t i = 0; i < weights.size(); ++i) {
    op->weights.positions.push_back(first + static_cast<std::int64_t>(i));
    op->weights.values.push_back(weights[i]);
  }
}

// A 3 x 3 convolution of one channel, two weights of its middle row.
void check_infinite(std::uint32_t side, std::int64_t images) {
  const float inf = std::numeric_limits<float>::infinity();
  const std::size_t pixels = std::size_t{side} * side;
  Builder b;
  b.plan.values.push_back({3, 1, side, side});
  b.conv(0, 1, 3, 1, kNone, Act::kNone);
  b.plan.ops[0].bias = {0.0f};
  set_weights(&b.plan.ops[0], 3, {3.0f, 5.0f});
  const PackedBytes block = packed(b);
  std::string error;
  std::vector<float> input(static_cast<std::size_t>(images) * pixels, 1.0f);
  for (std::size_t at = 0; at < input.size(); at += pixels) input[at] = inf;
  std::vector<float> output(input.size(), -77.0f);
  CHECK(run(block.data(), input.data(), output.data(), images, 1, &error));
  for (std::size_t at = 0; at < output.size(); ++at) {
    const std::size_t pixel = at % pixels;
    // The middle weight meets the pixel, the first one the pixel to its left.
    const float wanted = pixel < 2 ? inf : pixel % side == 0 ? 5.0f : 8.0f;
    CHECK(output[at] == wanted);
  }
}

// A linear layer of three weights, where four go at once.
void check_linear(std::int64_t images) {
  const float inf = std::numeric_limits<float>::infinity();
  Builder b;
  b.plan.values.push_back({1, 3, 1, 1});
  b.linear(0, 1, Act::kNone);
  b.plan.ops[0].bias = {1.0f};
  set_weights(&b.plan.ops[0], 0, {3.0f, 5.0f, 7.0f});
  const PackedBytes block = packed(b);
  std::string error;
  std::vector<float> input(static_cast<std::size_t>(images) * 3, 1.0f);
  input[2] = inf;  // the last one's weight comes in two halves
  std::vector<float> output(static_cast<std::size_t>(images), -77.0f);
  CHECK(run(block.data(), input.data(), output.data(), images, 1, &error));
  for (std::size_t i = 0; i < output.size(); ++i) CHECK(output[i] == (i == 0 ? inf : 16.0f));
}

// Rows that are looked up sixteen at once where an instruction does that, and one more: each has
// three weights, so far apart that windows lie at the input's begin, in it and at its end.
void check_rows() {
  constexpr std::int64_t kIn = 40;
  constexpr std::int64_t kOut = 17;
  constexpr std::int64_t kInfinite = 20;
  constexpr std::int64_t kPlaces[] = {0, 7, 23};
  const float inf = std::numeric_limits<float>::infinity();
  Builder b;
  b.plan.values.push_back({1, kIn, 1, 1});
  b.linear(0, kOut, Act::kNone);
  Op& op = b.plan.ops[0];
  op.bias.assign(kOut, 1.0f);
  for (std::int64_t row = 0; row < kOut; ++row) {
    for (const std::int64_t place : kPlaces) {
      set_weights(&op, row * kIn + row + place, {static_cast<float>(place + 1)});
    }
  }
  const PackedBytes block = packed(b);
  std::vector<float> input(kIn);
  for (std::int64_t i = 0; i < kIn; ++i) input[i] = static_cast<float>(i);
  input[kInfinite] = inf;
  std::vector<float> output(kOut, -77.0f);
  std::string error;
  CHECK(run(block.data(), input.data(), output.data(), 1, 1, &error));
  for (std::int64_t row = 0; row < kOut; ++row) {
    float wanted = 1.0f;  // whole numbers: exact in any order
    for (const std::int64_t place : kPlaces) {
      wanted += static_cast<float>(place + 1) * input[row + place];
    }
    CHECK(output[row] == wanted);
  }
}

}  // namespace
}  // namespace ticket::runtime

int main() {
  using namespace ticket::runtime;
  for (const char* isa : {"scalar", "avx2", "avx512"}) {
    if (select_lanes(isa) < 0) continue;
    setenv("TICKET_ISA", isa, 1);
    for (const std::uint32_t side : {2, 4, 8}) {
      for (const std::int64_t images : {std::int64_t{1}, kImages}) check_infinite(side, images);
    }
    for (const std::int64_t images : {std::int64_t{1}, kImages}) check_linear(images);
    check_rows();
    std::printf("%s: tested\n", isa);
  }
}
