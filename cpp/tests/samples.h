// Awkward inputs for the mask kernels, reproducible from a seed.
#pragma once

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace ticket {

enum class Flavour { spread, tied, constant, extreme };
constexpr Flavour kFlavours[] = {Flavour::spread, Flavour::tied, Flavour::constant,
                                 Flavour::extreme};

// Exactly `size` scores, so that a sanitizer sees one read too many.
inline std::vector<float> some_scores(std::size_t size, Flavour flavour, unsigned seed) {
  using Limits = std::numeric_limits<float>;
  const float extremes[] = {0.0F,          -0.0F,           Limits::denorm_min(),
                            -Limits::denorm_min(), Limits::min(),   Limits::max(),
                            Limits::lowest(), Limits::infinity(), -Limits::infinity(), 1.0F};
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> scores(size);
  for (float& score : scores) {
    switch (flavour) {
      case Flavour::spread: score = normal(random); break;
      case Flavour::tied: score = static_cast<float>(static_cast<int>(random() % 5) - 2); break;
      case Flavour::constant: score = -0.25F; break;
      case Flavour::extreme: score = extremes[random() % 10]; break;
    }
  }
  return scores;
}

// Exactly `size` bytes, each 1 with about this chance, in percent.
inline std::vector<std::uint8_t> some_mask(std::size_t size, unsigned percent, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::uint8_t> mask(size);
  for (std::uint8_t& kept : mask) kept = random() % 100 < percent;
  return mask;
}

}  // namespace ticket
