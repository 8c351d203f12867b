// One image in halves gives, bit for bit, what one thread makes of the whole image, and both what
// plain double-precision loops give: kernels that reach over the cut by a row or two, strides,
// pools, residuals, values that several read, images that do not fill their blocks across, ends in
// vectors and in images.
#include <cstdio>
#include <cstdlib>
#include <random>
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

constexpr unsigned kNetworks = 60;

class HalvedNetwork {
 public:
  explicit HalvedNetwork(unsigned seed) { b_.random.seed(seed); }

  Plan make() {
    const std::uint32_t heights[] = {8, 16, 24, 32, 40, 64};
    b_.plan.values.push_back({3, 1 + below(5), heights[below(6)], 4 + below(37)});
    std::uint32_t x = 0;
    for (std::uint32_t layers = 2 + below(5); layers > 0; --layers) x = layer(x);
    const bool ends_in_vector = below(2) == 0;
    if (ends_in_vector) x = b_.linear(b_.mean(x), 7, Act::kNone);
    const double densities[] = {0.02, 0.1, 0.3, 0.95};
    b_.finish(x, densities[below(4)]);
    return std::move(b_.plan);
  }

 private:
  std::uint32_t below(std::uint32_t limit) {
    return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(b_.random);
  }

  const Shape& shape(std::uint32_t value) const { return b_.plan.values[value]; }

  // Another operation on the value, of the same shape.
  std::uint32_t same_shape(Code code, std::uint32_t x, std::uint32_t other) {
    Op op;
    op.code = code;
    op.inputs = {x};
    if (code == Code::kAdd || code == Code::kMul || code == Code::kConcat) {
      op.inputs.push_back(other);
    }
    if (code != Code::kConcat) op.act = static_cast<Act>(below(3));
    if (code == Code::kAffine) {
      op.scale.assign(shape(x).channels, 0.75f);
      op.shift.assign(shape(x).channels, -0.125f);
    }
    return b_.add(std::move(op));
  }

  std::uint32_t pool(std::uint32_t x) {
    Op op;
    op.code = below(2) == 0 ? Code::kMaxPool : Code::kAvgPool;
    op.inputs = {x};
    op.window.kernel_h = op.window.kernel_w = op.window.stride_h = op.window.stride_w = 2;
    return b_.add(std::move(op));
  }

  std::uint32_t layer(std::uint32_t x) {
    const bool halves_again = shape(x).height % 32 == 0 && shape(x).width >= 8;
    const std::uint32_t stride = halves_again && below(2) == 0 ? 2 : 1;
    if (stride == 2 && below(2) == 0) return pool(x);
    const std::uint32_t kernel = 1 + 2 * below(3);
    const std::uint32_t channels = 1 + below(below(3) == 0 ? 70 : 20);
    const std::uint32_t y =
        b_.conv(x, channels, kernel, stride, kNone, static_cast<Act>(below(3)));
    const Code codes[] = {Code::kAdd, Code::kMul, Code::kAct, Code::kAffine, Code::kConcat};
    switch (below(3)) {
      case 0: return b_.conv(y, channels, 3, 1, y, Act::kRelu);
      case 1: return same_shape(codes[below(5)], y, b_.conv(y, channels, 3, 1, kNone, Act::kRelu));
      default: return y;
    }
  }

  Builder b_;
};

struct Packed {
  PackedBytes block;
  const Header& header() const { return *inside<Header>(block.data(), 0); }
};

Packed packed(const Plan& plan, Halves halves) {
  Packed made;
  std::string error;
  CHECK(pack_as(plan, {std::nullopt, Moves::kWherePays, halves}, &made.block, &error));
  return made;
}

std::vector<float> ran(const Packed& packed, const std::vector<float>& input, int threads) {
  std::vector<float> output(static_cast<std::size_t>(packed.header().io.output), -77.0f);
  std::string error;
  CHECK(run(packed.block.data(), input.data(), output.data(), 1, threads, &error));
  return output;
}

void check_networks(const char* isa) {
  setenv("TICKET_ISA", isa, 1);
  unsigned in_halves = 0;
  std::int64_t seams = 0;
  double most = 0;
  for (unsigned seed = 1; seed <= kNetworks; ++seed) {
    const Case given = case_of(HalvedNetwork(seed).make(), 1, seed);
    const Packed network = packed(given.plan, Halves::kAlways);
    const Program& halves = network.header().halves;
    in_halves += halves.step_count > 0;
    for (std::int64_t i = 0; i < halves.step_count; ++i) {
      seams += inside<Step>(network.block.data(), halves.steps)[i].kind == Kind::kSeamIn;
    }
    const std::vector<float> whole = ran(network, given.input, 1);
    for (int call = 0; call < 3; ++call) {
      if (!same_bits(ran(network, given.input, 2), whole)) {
        std::fprintf(stderr, "seed %u, %s: halves are not the whole\n", seed, isa);
        std::exit(1);
      }
    }
    most = std::max(most, worst(given, whole, 1));
    CHECK(most <= 1);
  }
  std::printf("%s: %u networks, %u in halves, %d seams; largest error %.3f of the allowed\n", isa,
              kNetworks, in_halves, static_cast<int>(seams), most);
  CHECK(in_halves > kNetworks / 2 && seams > 2 * kNetworks);
}

// What pays: all of a narrow network but its end; of a wide one what has large images.
void check_choice() {
  Builder narrow;
  add_resnet(narrow, {16, 32, 64}, 3);
  narrow.finish(static_cast<std::uint32_t>(narrow.plan.values.size()) - 1, 0.05);
  const Header header = packed(narrow.plan, Halves::kWherePays).header();
  CHECK(header.halves.step_count > 40 && header.joined == 64 * 8 * 8 && header.shared != 0);
}

}  // namespace
}  // namespace ticket::runtime

int main() {
  using namespace ticket::runtime;
  for (const char* isa : {"scalar", "avx2", "avx512"}) {
    if (select_lanes(isa) >= 0) check_networks(isa);
  }
  setenv("TICKET_ISA", "scalar", 1);
  check_choice();
}
