// Convolutions that go Winograd's way give what plain double-precision loops give: one image and
// many, any number of channels, images that do not fill their blocks, residuals, threads.
#include <cstdio>
#include <cstdlib>
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

constexpr std::int64_t kMostImages = 17;

struct Size {
  std::uint32_t in, out, side;
  double density;
};

// A layer without padding among those with it, a residual, each activation.
Plan network(const Size& size, unsigned seed) {
  Builder b;
  b.random.seed(seed);
  b.plan.values.push_back({3, size.in, size.side, size.side});
  const std::uint32_t first = b.conv(0, size.out, 3, 1, kNone, Act::kRelu);
  const std::uint32_t second = b.conv(first, size.out, 3, 1, first, Act::kRelu6);
  const std::uint32_t last = b.conv(second, size.in, 3, 1, kNone, Act::kNone);
  Op& op = b.plan.ops.back();
  const bool shrinks = seed % 2 == 0;
  if (shrinks) {
    op.window.pad_top = op.window.pad_left = op.window.pad_bottom = op.window.pad_right = 0;
    b.plan.values[last] = {3, size.in, size.side - 2, size.side - 2};
  }
  b.finish(last, size.density);
  return std::move(b.plan);
}

int winograd_steps(const PackedBytes& block, const Program& program) {
  int count = 0;
  for (std::int64_t i = 0; i < program.step_count; ++i) {
    count += inside<Step>(block.data(), program.steps)[i].kind == Kind::kWinogradLeave;
  }
  return count;
}

// Tiles of a whole image and of a part, last groups of 1 to 8 channels.
std::vector<Case> cases() {
  const Size sizes[] = {{12, 16, 32, 0.9}, {13, 20, 16, 0.8}, {40, 33, 8, 0.7}, {9, 17, 29, 1.0},
                        {64, 48, 4, 0.6},  {8, 10, 45, 0.9},  {70, 12, 12, 0.9}};
  std::vector<Case> result;
  unsigned seed = 0;
  for (const Size& size : sizes) {
    ++seed;
    result.push_back(case_of(network(size, seed), kMostImages, seed));
  }
  return result;
}

void check_agreement(const char* isa, const std::vector<Case>& all) {
  double most = 0;
  int single = 0, batch = 0;
  for (const Case& given : all) {
    Cut shared;
    shared.shared = true;
    PackedBytes block;
    std::string error;
    CHECK(pack_as(given.plan, {shared}, &block, &error));
    const auto* const header = inside<Header>(block.data(), 0);
    single += winograd_steps(block, header->blocks);
    batch += winograd_steps(block, header->batch);
    for (const std::int64_t images : {std::int64_t{1}, kMostImages}) {
      for (const int threads : {1, 2, 4}) {
        // Exactly as large as they must be, so that a sanitizer sees one read or write too many.
        const std::vector<float> input(given.input.begin(),
                                       given.input.begin() + images * header->io.input);
        std::vector<float> output(static_cast<std::size_t>(images * header->io.output), -77.0f);
        CHECK(run(block.data(), input.data(), output.data(), images, threads, &error));
        const double part = worst(given, output, images);
        if (!(part <= 1)) {
          std::fprintf(stderr, "%s, case %d, %d images, %d threads: %g\n", isa,
                       static_cast<int>(&given - all.data()), static_cast<int>(images), threads,
                       part);
          std::exit(1);
        }
        most = std::max(most, part);
      }
    }
  }
  std::printf("%s: %d steps of one image, %d of many; largest error %.3f of the allowed\n", isa,
              single, batch, most);
  CHECK(single >= 8 && batch >= 8);
}

}  // namespace
}  // namespace ticket::runtime

int main() {
  using namespace ticket::runtime;
  const std::vector<Case> all = cases();
  for (const char* isa : {"scalar", "avx2", "avx512"}) {
    if (select_lanes(isa) < 0) continue;
    setenv("TICKET_ISA", isa, 1);
    check_agreement(isa, all);
  }
}
