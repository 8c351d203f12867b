// Not a test: how long networks of issue sizes take, one thread and two, with random masks.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "networks.h"
#include "runtime/block.h"
#include "runtime/lanes/lane_kernels.h"
#include "runtime/pack/pack.h"
#include "runtime/run/arenas.h"
#include "runtime/run/run.h"
#include "runtime/run/steps.h"

namespace ticket::runtime {
namespace {

// One thread's own time: what else runs on the machine does not count.
double thread_ms() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

double wall_ms() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

double median_ms(const PackedBytes& block, const std::vector<float>& input,
                 std::int64_t batch, int threads) {
  std::vector<float> output(static_cast<std::size_t>(batch * io_of(block.data()).output));
  std::vector<double> times;
  std::string error;
  const auto clock = threads == 1 ? thread_ms : wall_ms;
  const double begin = clock();
  while (times.size() < 5 || clock() - begin < 250) {
    const double start = clock();
    if (!run(block.data(), input.data(), output.data(), batch, threads, &error)) std::exit(1);
    times.push_back(clock() - start);
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2),
                   times.end());
  return times[times.size() / 2];
}

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::kEnter: return "enter";
    case Kind::kLeave: return "leave";
    case Kind::kConv: return "conv";
    case Kind::kBorderConv: return "border";
    case Kind::kShiftConv: return "shift";
    case Kind::kDenseConv: return "dense";
    case Kind::kPool: return "pool";
    case Kind::kMeanBlocks: return "mean";
    case Kind::kPlainPool: return "pool1";
    case Kind::kElementwise: return "each";
    case Kind::kCopy: return "copy";
    case Kind::kFill: return "fill";
    case Kind::kReorder: return "order";
    case Kind::kPlainLinear: return "linear1";
    case Kind::kPlainDense: return "dense1";
    case Kind::kLookup: return "lookup";
    case Kind::kWinogradEnter: return "wino in";
    case Kind::kWinogradLeave: return "wino";
    case Kind::kColumns: return "columns";
    case Kind::kColumnConv: return "few";
    case Kind::kSeamOut: return "out";
    case Kind::kSeamIn: return "in";
  }
  return "?";
}

// Every step of one program in place, one after the other: where the time goes.
void print_steps(const PackedBytes& block, const Program& program,
                 const std::vector<float>& input, int images) {
  const auto* const header = inside<Header>(block.data(), 0);
  const Arena arena = take_arena(header->id + 1, program.arena);
  std::vector<float> output(static_cast<std::size_t>(images * header->io.output));
  const bool fronts = &program == &header->front;
  const std::int64_t staging =
      kLanes * std::max({header->staged, header->joined, header->io.input});
  std::vector<float> staged(static_cast<std::size_t>(staging), 0.5f);
  Images some{input.data(), output.data(), header->io.input, header->io.output, images};
  if (fronts) {
    some.output = staged.data();
    some.output_size = header->staged;
  } else if (&program == &header->halves) {
    some.output = staged.data();
  } else if (&program == &header->rest) {
    some.input = staged.data();
  } else if (images > 1 && header->staged > 0) {
    some.input = staged.data();
    some.input_size = header->staged;
  }
  const auto count = static_cast<std::size_t>(program.step_count);
  std::vector<std::vector<double>> times(count);
  for (int round = 0; round < 15; ++round) {
    for (std::size_t i = 0; i < count; ++i) {
      Program one = program;
      one.steps += static_cast<std::int64_t>(i * sizeof(Step));
      one.step_count = 1;
      const double start = thread_ms();
      run_steps(one, *lane_kernels(header->isa), block.data(), arena.floats.get(), some);
      times[i].push_back(thread_ms() - start);
    }
  }
  const Step* const steps = inside<Step>(block.data(), program.steps);
  for (std::size_t i = 0; i < count; ++i) {
    std::nth_element(times[i].begin(), times[i].begin() + 4, times[i].end());
    const double ms = times[i][4];  // of all images
    std::printf("  %3zu %-7s %8.4f ms", i, name_of(steps[i].kind), ms);
    if (steps[i].kind >= Kind::kConv && steps[i].kind <= Kind::kDenseConv) {
      const auto& conv = *inside<ConvStep>(block.data(), steps[i].record);
      double vectors = 0;
      for (int r = 0; r < conv.region_count; ++r) {
        const Region& g = conv.regions[r];
        vectors += g.tile_rows * g.tile_cols * g.tiles_down * g.tiles_across;
      }
      double taps = 0;
      if (steps[i].kind != Kind::kDenseConv) {
        const auto* const filters = inside<Filter>(block.data(), conv.filters);
        for (int f = 0; f < conv.filter_count; ++f) taps += filters[f].count;
      } else {
        const auto* const groups = inside<DenseGroup>(block.data(), conv.filters);
        for (int g = 0; g < conv.filter_count; ++g) taps += groups[g].count * groups[g].width;
      }
      std::printf(" %6.1f GMAC/s, %4d channels, %5d filters, %6.1f taps each, tile %d x %d of %.0f",
                  taps * vectors * kLanes / ms / 1e6,
                  conv.out_channels, conv.filter_count, taps / conv.filter_count,
                  conv.regions[0].tile_rows, conv.regions[0].tile_cols, vectors);
    }
    std::printf("\n");
  }
}

}  // namespace
}  // namespace ticket::runtime

// The arguments: networks to time (resnet20 resnet56 resnet18 vgg19 lenet), sparsities in percent,
// `alone` for one image only, and `steps` to see where the time goes.
int main(int count, char** arguments) {
  using namespace ticket::runtime;
  std::vector<std::string> names;
  std::vector<int> sparsities;
  bool each_step = false;
  std::vector<std::int64_t> batches{1, 64};
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    const int number = std::atoi(argument.c_str());
    if (number > 0) {
      sparsities.push_back(number);
    } else if (argument == "steps") {
      each_step = true;
    } else if (argument == "alone") {
      batches = {1};
    } else {
      names.push_back(argument);
    }
  }
  if (names.empty()) names = {"resnet20", "resnet56", "vgg19", "resnet18", "lenet"};
  if (sparsities.empty()) sparsities = {95};
  std::printf("%-9s %3s %6s %9s %8s %9s   (ms, G multiply-adds a second)\n", "network", "%",
              "batch", "1 thread", "GMAC/s", "2 threads");
  for (const std::string& name : names) {
    for (const int sparsity : sparsities) {
      Builder b;
      if (name == "resnet20") add_resnet(b, {16, 32, 64}, 3);
      if (name == "resnet56") add_resnet(b, {16, 32, 64}, 9);
      if (name == "resnet18") add_resnet(b, {64, 128, 256, 512}, 2);
      if (name == "vgg19") add_vgg(b);
      if (name == "lenet") add_lenet(b);
      if (b.plan.values.empty()) return 2;
      const auto last = static_cast<std::uint32_t>(b.plan.values.size()) - 1;
      const double work = b.finish(last, 1 - sparsity / 100.0);
      PackedBytes block;
      std::string error;
      if (!pack(b.plan, &block, &error)) {
        std::fprintf(stderr, "%s\n", error.c_str());
        return 1;
      }
      for (const std::int64_t batch : batches) {
        std::vector<float> input(static_cast<std::size_t>(batch * io_of(block.data()).input));
        for (std::size_t i = 0; i < input.size(); ++i) {
          input[i] = static_cast<float>(i % 17) / 17.0f - 0.5f;
        }
        const double one = median_ms(block, input, batch, 1);
        const double two = median_ms(block, input, batch, 2);
        std::printf("%-9s %3d %6d %9.4f %8.1f %9.4f\n", name.c_str(), sparsity,
                    static_cast<int>(batch), one, work * static_cast<double>(batch) / one / 1e6,
                    two);
        const auto* const header = inside<Header>(block.data(), 0);
        if (each_step && batch == 1) print_steps(block, header->blocks, input, 1);
        if (each_step && batch == 1) print_steps(block, header->halves, input, 1);
        if (each_step && batch == 1) print_steps(block, header->rest, input, 1);
        if (each_step && batch > 1) print_steps(block, header->front, input, 1);
        if (each_step && batch > 1) print_steps(block, header->batch, input, kLanes);
        if (each_step && batch > 1) print_steps(block, header->wide, input, kWide * kLanes);
      }
    }
  }
}
