#include "sample_plans.h"

#include <stdexcept>

#include "runtime/plan/shapes.h"

namespace ticket::runtime {

Network::Network(Shape input, unsigned seed) : random_(seed) {
  plan_.values.push_back(input);
  plan_.inputs = {0};
}

std::uint32_t Network::add(Op op) {
  const auto output = static_cast<std::uint32_t>(plan_.values.size());
  op.output = output;
  if (op.code != Code::kReshape) {
    Shape shape;
    std::string why;
    if (!output_shape(op, plan_.values, &shape, &why)) throw std::logic_error(why);
    plan_.values.push_back(shape);
  }
  plan_.ops.push_back(std::move(op));
  return output;
}

std::uint32_t Network::conv(std::uint32_t in, std::uint32_t channels, Window window,
                            unsigned percent, Act act, std::uint32_t groups,
                            std::uint32_t residual) {
  Op op;
  op.code = Code::kConv;
  op.inputs = {in};
  op.residual = residual;
  op.out_channels = channels;
  op.in_channels = plan_.values[in].channels;
  op.groups = groups;
  op.window = window;
  op.act = act;
  op.dense = percent == 100;
  op.bias = numbers(channels);
  op.weights = weights(weight_count(op), percent);
  return add(std::move(op));
}

std::uint32_t Network::linear(std::uint32_t in, std::uint32_t features, unsigned percent,
                              Act act) {
  Op op;
  op.code = Code::kLinear;
  op.inputs = {in};
  op.out_channels = features;
  op.in_channels = plan_.values[in].channels;
  op.act = act;
  op.dense = percent == 100;
  op.bias = numbers(features);
  op.weights = weights(weight_count(op), percent);
  return add(std::move(op));
}

std::uint32_t Network::affine(std::uint32_t in, Act act) {
  Op op;
  op.code = Code::kAffine;
  op.inputs = {in};
  op.act = act;
  op.scale = numbers(plan_.values[in].channels);
  op.shift = numbers(plan_.values[in].channels);
  return add(std::move(op));
}

std::uint32_t Network::reshape(std::uint32_t in, Shape shape) {
  Op op;
  op.code = Code::kReshape;
  op.inputs = {in};
  plan_.values.push_back(shape);
  op.output = static_cast<std::uint32_t>(plan_.values.size() - 1);
  plan_.ops.push_back(op);
  return op.output;
}

std::uint32_t Network::pool(Code code, std::uint32_t in, Window window) {
  Op op;
  op.code = code;
  op.inputs = {in};
  op.window = window;
  return add(std::move(op));
}

std::uint32_t Network::plain(Code code, std::vector<std::uint32_t> inputs, Act act) {
  Op op;
  op.code = code;
  op.inputs = std::move(inputs);
  op.act = act;
  return add(std::move(op));
}

Plan Network::plan(std::uint32_t output, const std::string& metadata) const {
  Plan plan = plan_;
  plan.outputs = {output};
  plan.metadata = metadata;
  return plan;
}

// Of the generator's bits alone: the standard's distributions differ between libraries.
float Network::number() {
  return static_cast<float>(static_cast<int>(random_() % 2001) - 1000) / 1000.0f;
}

std::vector<float> Network::numbers(std::size_t count) {
  std::vector<float> values(count);
  for (float& value : values) value = number();
  return values;
}

Weights Network::weights(std::int64_t total, unsigned percent) {
  Weights weights;
  weights.total = total;
  for (std::int64_t position = 0; position < total; ++position) {
    if (random_() % 100 >= percent) continue;
    weights.positions.push_back(position);
    weights.values.push_back(number());
  }
  return weights;
}

Window same_window(std::uint32_t stride) {
  Window window;
  window.kernel_h = window.kernel_w = 3;
  window.stride_h = window.stride_w = stride;
  window.pad_top = window.pad_left = window.pad_bottom = window.pad_right = 1;
  return window;
}

Plan residual_network() {
  Network net({3, 3, 12, 12}, 1);
  Window halve;
  halve.kernel_h = halve.kernel_w = halve.stride_h = halve.stride_w = 2;
  const auto start = net.conv(net.affine(0), 8, same_window(), 30);
  const auto first = net.conv(start, 8, same_window(), 10);
  const auto joined = net.conv(first, 8, same_window(), 10, Act::kRelu, 1, start);
  const auto pooled = net.pool(Code::kMaxPool, joined, halve);
  const auto wide = net.conv(pooled, 12, same_window(2), 5);
  const auto narrow = net.conv(pooled, 12, halve, 100, Act::kNone);
  const auto sum = net.plain(Code::kAdd, {wide, narrow}, Act::kRelu6);
  const auto mean = net.plain(Code::kGlobalAvg, {sum});
  return net.plan(net.linear(net.reshape(mean, {1, 12, 1, 1}), 10, 50));
}

Plan branched_network() {
  Network net({3, 4, 9, 7}, 2);
  Window dilated = same_window();
  dilated.pad_top = dilated.pad_left = dilated.pad_bottom = dilated.pad_right = 2;
  dilated.dilation_h = dilated.dilation_w = 2;
  Window lopsided;
  lopsided.kernel_h = 1;
  lopsided.kernel_w = 5;
  lopsided.pad_left = 3;
  lopsided.pad_right = 1;
  Window pool = same_window(2);
  pool.pad_bottom = 2;  // as if rounded up
  const auto depthwise = net.conv(0, 8, same_window(), 60, Act::kRelu6, 4);
  const auto spread = net.conv(depthwise, 6, dilated, 20, Act::kNone, 2);
  const auto row = net.conv(0, 6, lopsided, 40);
  const auto both = net.plain(Code::kConcat, {spread, row, spread});
  const auto gate = net.conv(net.plain(Code::kGlobalMax, {both}), 18, Window{}, 50);
  const auto gated = net.plain(Code::kMul, {both, gate}, Act::kRelu);
  const auto squared = net.plain(Code::kMul, {gated, gated});
  const auto mean = net.pool(Code::kAvgPool, squared, pool);
  const auto most = net.pool(Code::kMaxPool, net.plain(Code::kAct, {gated}, Act::kRelu), pool);
  Op pad;
  pad.code = Code::kPad;
  pad.inputs = {net.plain(Code::kAdd, {mean, most})};
  pad.window.pad_left = 2;
  pad.window.pad_bottom = 1;
  pad.pad_value = 0.5f;
  return net.plan(net.conv(net.add(pad), 3, same_window(2), 30, Act::kNone));
}

Plan perceptron() {
  Network net({3, 1, 6, 6}, 3);
  const auto hidden = net.linear(net.reshape(0, {1, 36, 1, 1}), 20, 15, Act::kRelu);
  const auto scaled = net.affine(net.linear(hidden, 20, 100, Act::kRelu6));
  return net.plan(net.linear(net.plain(Code::kConcat, {scaled, hidden}), 4, 0));
}

Plan rows_network(std::uint32_t channels, std::uint32_t size, unsigned batch) {
  Network net({3, channels, size, size}, 4);
  Op scale;
  scale.code = Code::kAffine;
  scale.inputs = {0};
  scale.scale.assign(channels, 1.0f / 255.0f);
  scale.shift.assign(channels, 0.0f);
  const std::uint32_t pixels = channels * size * size;
  Op sum;
  sum.code = Code::kLinear;
  sum.inputs = {net.reshape(net.add(scale), {1, pixels, 1, 1})};
  sum.out_channels = 10;
  sum.in_channels = pixels;
  sum.weights.total = std::int64_t{10} * pixels;
  for (std::int64_t position = 0; position < sum.weights.total; ++position) {
    if (position % (size * size) / size / 2 != position / pixels) continue;
    sum.weights.positions.push_back(position);
    sum.weights.values.push_back(1.0f);
  }
  return net.plan(net.add(sum),
                  R"({"model": "rows", "producer": {"name": "a test"}, "batch": )" +
                      std::to_string(batch) +
                      R"(, "classes": ["zero", "one", "two", "three", "four", "five", "six",)"
                      R"( "seven", "eight", "nine \u2013 last"], "normalisation":)"
                      R"( {"mean": [0.0], "std": [1.0], "scale": 255}})");
}

}  // namespace ticket::runtime
