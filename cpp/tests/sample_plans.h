// Small networks of every operation, built in code and the same on every machine.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "runtime/plan/plan.h"

namespace ticket::runtime {

// A plan that grows by one operation a call; every call returns the new value's id.
class Network {
 public:
  Network(Shape input, unsigned seed);

  // Weights with about this chance, in percent, of not being zero.
  std::uint32_t conv(std::uint32_t in, std::uint32_t channels, Window window, unsigned percent,
                     Act act = Act::kRelu, std::uint32_t groups = 1,
                     std::uint32_t residual = kNone);
  std::uint32_t linear(std::uint32_t in, std::uint32_t features, unsigned percent,
                       Act act = Act::kNone);
  std::uint32_t affine(std::uint32_t in, Act act = Act::kNone);
  std::uint32_t reshape(std::uint32_t in, Shape shape);

  // Any other operation.  Throws std::logic_error when its inputs do not suit it.
  std::uint32_t add(Op op);
  std::uint32_t pool(Code code, std::uint32_t in, Window window);
  std::uint32_t plain(Code code, std::vector<std::uint32_t> inputs, Act act = Act::kNone);

  // The plan whose output is this value.
  Plan plan(std::uint32_t output, const std::string& metadata = "{}") const;

 private:
  Weights weights(std::int64_t total, unsigned percent);
  std::vector<float> numbers(std::size_t count);
  float number();  // -1 to 1

  Plan plan_;
  std::mt19937 random_;
};

// A 3 x 3 window that keeps the size.
Window same_window(std::uint32_t stride = 1);

Plan residual_network();  // 3 x 12 x 12 -> 10: normalisation, residuals, strides, pools, linear
Plan branched_network();  // 4 x 9 x 7 -> 3 x 3 x 2: concat, mul, pad, groups, dilation, max
Plan perceptron();        // 1 x 6 x 6 -> 4: reshape and linear layers, one without weights

// channels x size x size -> 10, with the names of its classes: takes pixels, and gives class c
// the sum of rows 2 c and 2 c + 1 over all channels, divided by 255.  `batch`: fixed, or 0.
Plan rows_network(std::uint32_t channels, std::uint32_t size, unsigned batch = 0);

}  // namespace ticket::runtime
