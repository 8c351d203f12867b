// Nearly dense 3 x 3 convolutions with fewer products.
#include "runtime/pack/winograd.h"

#include <algorithm>

#include "runtime/pack/nearness.h"
#include "runtime/records.h"

namespace ticket::runtime {
namespace {

constexpr int kSide = kWinogradSide;
constexpr int kSpots = kSide * kSide;
constexpr int kKernel = 3;

// A filter's three values in a row at the six points: its polynomial's value there, divided by the
// product of the distances to the other points.
struct AtPoints {
  double of[kSide][kKernel] = {};

  AtPoints() {
    constexpr double kPoints[kSide - 1] = {0, 0.75, -0.75, 1.5, -1.5};
    for (int i = 0; i < kSide - 1; ++i) {
      double distances = 1;
      for (int other = 0; other < kSide - 1; ++other) {
        if (other != i) distances *= kPoints[i] - kPoints[other];
      }
      double power = 1;
      for (int k = 0; k < kKernel; ++k, power *= kPoints[i]) of[i][k] = power / distances;
    }
    of[kSide - 1][kKernel - 1] = 1;  // infinity
  }
};

std::size_t weight_count_of(const Op& op) {
  const std::int64_t groups =
      (static_cast<std::int64_t>(op.out_channels) + kWinogradOuts - 1) / kWinogradOuts;
  return static_cast<std::size_t>(groups * kSpots * op.in_channels * kWinogradOuts);
}

}  // namespace

double winograd_cycles(const Op& op, const Costs& costs) {
  const auto in = static_cast<double>(op.in_channels);
  const auto out = static_cast<double>(op.out_channels);
  const double tile = kSpots * in * out * costs.winograd + in * costs.winograd_enter +
                      out * costs.winograd_leave;
  return tile / (kWinogradTile * kWinogradTile);
}

std::int32_t winograd_tiles(const Op& op, std::int64_t rows, std::int64_t cols) {
  const std::int64_t bytes =
      std::int64_t{op.in_channels} * kSpots * kLanes * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t all = rows / kWinogradTile * (cols / kWinogradTile);
  const std::int64_t most = std::min<std::int64_t>(all, kMostWinogradTiles);
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(l2_bytes() / 8 * 5 / bytes, 1, most));
}

std::size_t winograd_bytes(const Op& op) { return weight_count_of(op) * sizeof(float); }

std::vector<float> winograd_weights(const Op& op) {
  static const AtPoints at;
  constexpr std::int64_t kWeights = kKernel * kKernel;
  const auto in = static_cast<std::int64_t>(op.in_channels);
  std::vector<float> result(weight_count_of(op));
  const std::vector<std::int64_t>& positions = op.weights.positions;
  for (std::size_t i = 0; i < positions.size();) {
    const std::int64_t filter = positions[i] / kWeights;
    double spots[kSide][kSide] = {};
    for (; i < positions.size() && positions[i] / kWeights == filter; ++i) {
      const std::int64_t k = positions[i] % kWeights;
      const double weight = op.weights.values[i];
      for (int y = 0; y < kSide; ++y) {
        for (int x = 0; x < kSide; ++x) {
          spots[y][x] += at.of[y][k / kKernel] * at.of[x][k % kKernel] * weight;
        }
      }
    }
    const std::int64_t out = filter / in;
    for (int spot = 0; spot < kSpots; ++spot) {
      const std::int64_t row = (out / kWinogradOuts * kSpots + spot) * in + filter % in;
      result[static_cast<std::size_t>(row * kWinogradOuts + out % kWinogradOuts)] =
          static_cast<float>(spots[spot / kSide][spot % kSide]);
    }
  }
  return result;
}

}  // namespace ticket::runtime
