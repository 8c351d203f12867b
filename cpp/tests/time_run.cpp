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

#include "runtime/arenas.h"
#include "runtime/block.h"
#include "runtime/lane_kernels.h"
#include "runtime/packed.h"
#include "runtime/shapes.h"
#include "runtime/steps.h"

namespace ticket::runtime {
namespace {

// Layers with masks of the ERK density: in proportion to (in + out + kh + kw) / (in * out * kh *
// kw), none above 1.
struct Builder {
  Plan plan;
  std::mt19937 random{1};

  std::uint32_t add(Op op) {
    op.output = static_cast<std::uint32_t>(plan.values.size());
    plan.values.emplace_back();
    Shape out;
    std::string why;
    if (!output_shape(op, plan.values, &out, &why)) {
      std::fprintf(stderr, "%s\n", why.c_str());
      std::exit(1);
    }
    plan.values.back() = out;
    plan.ops.push_back(op);
    return op.output;
  }

  std::uint32_t conv(std::uint32_t in, std::uint32_t channels, std::uint32_t kernel,
                     std::uint32_t stride, std::uint32_t residual, Act act) {
    Op op;
    op.code = Code::kConv;
    op.inputs = {in};
    op.residual = residual;
    op.act = act;
    op.in_channels = plan.values[in].channels;
    op.out_channels = channels;
    op.window.kernel_h = op.window.kernel_w = kernel;
    op.window.stride_h = op.window.stride_w = stride;
    op.window.pad_top = op.window.pad_left = op.window.pad_bottom = op.window.pad_right =
        kernel / 2;
    op.bias.assign(channels, 0.1f);
    return add(op);
  }

  std::uint32_t pool(std::uint32_t in) {
    Op op;
    op.code = Code::kMaxPool;
    op.inputs = {in};
    op.window.kernel_h = op.window.kernel_w = op.window.stride_h = op.window.stride_w = 2;
    return add(op);
  }

  std::uint32_t linear(std::uint32_t in, std::uint32_t features, Act act) {
    Op op;
    op.code = Code::kLinear;
    op.inputs = {in};
    op.act = act;
    op.in_channels = plan.values[in].channels;
    op.out_channels = features;
    op.bias.assign(features, 0.1f);
    return add(op);
  }

  std::uint32_t flatten(std::uint32_t in) {
    Op op;
    op.code = Code::kReshape;
    op.inputs = {in};
    op.output = static_cast<std::uint32_t>(plan.values.size());
    plan.values.push_back({1, static_cast<std::uint32_t>(plan.values[in].size()), 1, 1});
    plan.ops.push_back(op);
    return op.output;
  }

  std::uint32_t mean(std::uint32_t in) {
    Op op;
    op.code = Code::kGlobalAvg;
    op.inputs = {in};
    return flatten(add(op));
  }

  double finish(std::uint32_t out, double density) {
    plan.metadata = "{}";
    plan.inputs = {0};
    plan.outputs = {out};
    std::vector<Op*> layers;
    double all = 0;
    for (Op& op : plan.ops) {
      if (op.code != Code::kConv && op.code != Code::kLinear) continue;
      op.weights.total = weight_count(op);
      all += static_cast<double>(op.weights.total);
      layers.push_back(&op);
    }
    const auto raw = [](const Op& op) {
      return (op.in_channels + op.out_channels + op.window.kernel_h + op.window.kernel_w) /
             static_cast<double>(op.weights.total);
    };
    double low = 0, high = 1e12;
    for (int i = 0; i < 100; ++i) {
      const double factor = (low + high) / 2;
      double kept = 0;
      for (const Op* op : layers) {
        kept += std::min(1.0, raw(*op) * factor) * static_cast<double>(op->weights.total);
      }
      (kept < density * all ? low : high) = factor;
    }
    double work = 0;
    for (Op* op : layers) {
      const double part = std::min(1.0, raw(*op) * low);
      op->dense = part > 0.7;
      std::uniform_real_distribution<double> uniform;
      std::normal_distribution<float> normal(
          0.0f, static_cast<float>(std::sqrt(2.0 * op->out_channels /
                                             (part * static_cast<double>(op->weights.total)))));
      for (std::int64_t i = 0; i < op->weights.total; ++i) {
        if (uniform(random) > part) continue;
        op->weights.positions.push_back(i);
        op->weights.values.push_back(normal(random));
      }
      const Shape& shape = plan.values[op->output];
      work += static_cast<double>(op->weights.values.size()) * shape.height * shape.width;
    }
    return work;
  }
};

void add_resnet(Builder& b, const std::vector<int>& widths, int blocks) {
  b.plan.values.push_back({3, 3, 32, 32});
  std::uint32_t x = b.conv(0, static_cast<std::uint32_t>(widths[0]), 3, 1, kNone, Act::kRelu);
  for (std::size_t stage = 0; stage < widths.size(); ++stage) {
    for (int block = 0; block < blocks; ++block) {
      const auto width = static_cast<std::uint32_t>(widths[stage]);
      const std::uint32_t stride = stage > 0 && block == 0 ? 2 : 1;
      const std::uint32_t middle = b.conv(x, width, 3, stride, kNone, Act::kRelu);
      const std::uint32_t skip =
          stride == 2 ? b.conv(x, width, 1, 2, kNone, Act::kNone) : x;
      x = b.conv(middle, width, 3, 1, skip, Act::kRelu);
    }
  }
  b.linear(b.mean(x), 10, Act::kNone);
}

void add_vgg(Builder& b) {
  b.plan.values.push_back({3, 3, 32, 32});
  std::uint32_t x = 0;
  for (const int width : {64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0,
                          512, 512, 512, 512, 0}) {
    x = width == 0 ? b.pool(x)
                   : b.conv(x, static_cast<std::uint32_t>(width), 3, 1, kNone, Act::kRelu);
  }
  b.linear(b.flatten(x), 10, Act::kNone);
}

void add_lenet(Builder& b) {
  b.plan.values.push_back({3, 1, 28, 28});
  b.linear(b.linear(b.linear(b.flatten(0), 300, Act::kRelu), 100, Act::kRelu), 10, Act::kNone);
}

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

double median_ms(const std::vector<std::uint8_t>& block, const std::vector<float>& input,
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
  static const char* const kNames[] = {"enter", "leave",   "conv",  "border", "shift", "dense", "pool",
                                       "mean",  "pool1",   "each",  "copy",  "fill",
                                       "order", "linear1", "dense1"};
  return kNames[static_cast<int>(kind)];
}

// Every step of one program in place, one after the other: where the time goes.
void print_steps(const std::vector<std::uint8_t>& block, const Program& program,
                 const std::vector<float>& input, int images) {
  const auto* const header = inside<Header>(block.data(), 0);
  const Arena arena = take_arena(header->id + 1, program.arena);
  std::vector<float> output(static_cast<std::size_t>(images * header->io.output));
  const bool fronts = &program == &header->front;
  std::vector<float> staged(static_cast<std::size_t>(kLanes * std::max(header->staged, header->io.input)), 0.5f);
  Images some{input.data(), output.data(), header->io.input, header->io.output, images};
  if (fronts) {
    some.output = staged.data();
    some.output_size = header->staged;
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
// and `steps` to see where the time goes.
int main(int count, char** arguments) {
  using namespace ticket::runtime;
  std::vector<std::string> names;
  std::vector<int> sparsities;
  bool each_step = false;
  for (int i = 1; i < count; ++i) {
    const int number = std::atoi(arguments[i]);
    if (number > 0) sparsities.push_back(number);
    if (number == 0 && std::string(arguments[i]) != "steps") names.emplace_back(arguments[i]);
    if (std::string(arguments[i]) == "steps") each_step = true;
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
      std::vector<std::uint8_t> block;
      std::string error;
      if (!pack(b.plan, &block, &error)) {
        std::fprintf(stderr, "%s\n", error.c_str());
        return 1;
      }
      for (const std::int64_t batch : {1, 64}) {
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
        if (each_step && batch > 1) print_steps(block, header->front, input, 1);
        if (each_step && batch > 1) print_steps(block, header->batch, input, kLanes);
      }
    }
  }
}
