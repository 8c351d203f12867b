// Networks of vectors take sixty-four images at once: any number of images gives what plain
// double-precision loops give, and where an operation has no place there, the batch does it.
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "cases.h"
#include "check.h"
#include "networks.h"
#include "runtime/block.h"
#include "runtime/lanes/lane_kernels.h"
#include "runtime/pack/cut.h"
#include "runtime/pack/pack.h"
#include "runtime/run/run.h"

namespace ticket::runtime {
namespace {

constexpr std::int64_t kMostImages = 200;

PackedBytes packed(const Plan& plan) {
  PackedBytes block;
  std::string error;
  CHECK(pack_as(plan, {Cut{}}, &block, &error));
  return block;
}

bool has_wide(const PackedBytes& block) {
  return inside<Header>(block.data(), 0)->wide.step_count > 0;
}

std::uint32_t combined(Builder& b, Code code, std::uint32_t left, std::uint32_t right) {
  Op op;
  op.code = code;
  op.inputs = {left, right};
  op.act = Act::kRelu6;
  return b.add(op);
}

std::uint32_t scaled(Builder& b, std::uint32_t in) {
  Op op;
  op.code = Code::kAffine;
  op.inputs = {in};
  for (std::uint32_t c = 0; c < b.plan.values[in].channels; ++c) {
    op.scale.push_back(0.5f + 0.01f * static_cast<float>(c));
    op.shift.push_back(0.1f * static_cast<float>(c % 3));
  }
  return b.add(op);
}

// Every operation that has a place, on a flattened image; layers that are dense, sparse and empty.
Plan every_operation(unsigned seed, double density) {
  Builder b;
  b.random.seed(seed);
  b.plan.values.push_back({3, 2, 3 + seed % 5, 5});
  const std::uint32_t in = b.flatten(0);
  const std::uint32_t first = b.linear(in, 40 + seed % 7, Act::kRelu);
  const std::uint32_t second = b.linear(scaled(b, first), 40 + seed % 7, Act::kNone);
  const std::uint32_t sum = combined(b, Code::kAdd, first, second);
  const std::uint32_t product = combined(b, Code::kMul, sum, second);
  const std::uint32_t last = b.linear(product, 40 + seed % 7, Act::kRelu6);
  b.plan.ops.back().residual = first;
  const std::uint32_t out = b.linear(last, 10, Act::kNone);
  b.finish(out, density);
  return std::move(b.plan);
}

void check_agreement(const char* isa) {
  double most = 0;
  unsigned seed = 0;
  for (const double density : {0.01, 0.1, 0.4, 0.9}) {
    ++seed;
    const Case given = case_of(every_operation(seed, density), kMostImages, seed);
    const PackedBytes block = packed(given.plan);
    CHECK(has_wide(block));
    const Io io = io_of(block.data());
    for (const std::int64_t images : {1, 33, 47, 48, 63, 64, 65, 100, 127, 128, 130, 200}) {
      for (const int threads : {1, 2, 3}) {
        // Exactly as large as they must be, so that a sanitizer sees one read or write too many.
        const std::vector<float> input(given.input.begin(),
                                       given.input.begin() + images * io.input);
        std::vector<float> output(static_cast<std::size_t>(images * io.output), -77.0f);
        std::string error;
        CHECK(run(block.data(), input.data(), output.data(), images, threads, &error));
        const double error_part = worst(given, output, images);
        if (!(error_part <= 1)) {
          std::fprintf(stderr, "%s, density %g, %d images, %d threads: %g times the allowed\n",
                       isa, density, static_cast<int>(images), threads, error_part);
          std::exit(1);
        }
        most = std::max(most, error_part);
      }
    }
  }
  std::printf("%s: largest error %.3f of the allowed\n", isa, most);
}

// A filter of three taps is filled up to a number that goes at once; an infinite input, and no
// image's anything, stay in their own image.
void check_infinite() {
  const float inf = std::numeric_limits<float>::infinity();
  Builder b;
  b.plan.values.push_back({1, 3, 1, 1});
  b.finish(b.linear(0, 1, Act::kNone), 1.0);
  Op& op = b.plan.ops[0];
  op.dense = false;
  op.bias = {1.0f};
  op.weights.positions = {0, 1, 2};
  op.weights.values = {3.0f, 5.0f, 7.0f};
  const PackedBytes block = packed(b.plan);
  CHECK(has_wide(block));
  std::vector<float> input(64 * 3, 1.0f);
  input[17 * 3 + 2] = inf;
  std::vector<float> output(64, -77.0f);
  std::string error;
  CHECK(run(block.data(), input.data(), output.data(), 64, 1, &error));
  for (std::size_t i = 0; i < output.size(); ++i) CHECK(output[i] == (i == 17 ? inf : 16.0f));
}

void check_without() {
  Builder b;
  b.plan.values.push_back({3, 2, 8, 8});
  const std::uint32_t out = b.linear(b.flatten(b.pool(0)), 5, Act::kNone);
  b.finish(out, 0.5);
  CHECK(!has_wide(packed(b.plan)));
}

}  // namespace
}  // namespace ticket::runtime

int main() {
  using namespace ticket::runtime;
  for (const char* isa : {"scalar", "avx2", "avx512"}) {
    if (select_lanes(isa) < 0) continue;
    setenv("TICKET_ISA", isa, 1);
    check_agreement(isa);
    check_infinite();
  }
  check_without();
}
