// Networks of the sizes that the benchmarks race, with random masks and weights.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "runtime/plan/plan.h"
#include "runtime/plan/shapes.h"

namespace ticket::runtime {

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

inline void add_resnet(Builder& b, const std::vector<int>& widths, int blocks) {
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

inline void add_vgg(Builder& b) {
  b.plan.values.push_back({3, 3, 32, 32});
  std::uint32_t x = 0;
  for (const int width : {64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0,
                          512, 512, 512, 512, 0}) {
    x = width == 0 ? b.pool(x)
                   : b.conv(x, static_cast<std::uint32_t>(width), 3, 1, kNone, Act::kRelu);
  }
  b.linear(b.flatten(x), 10, Act::kNone);
}

inline void add_lenet(Builder& b) {
  b.plan.values.push_back({3, 1, 28, 28});
  b.linear(b.linear(b.linear(b.flatten(0), 300, Act::kRelu), 100, Act::kRelu), 10, Act::kNone);
}

}  // namespace ticket::runtime
