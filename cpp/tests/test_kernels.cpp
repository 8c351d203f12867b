// Every instruction set this CPU has does, bit for bit, what the scalar reference does, at every
// length around a vector's; and the reference does what kernels.h says.
#include "../kernels/kernels.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "check.h"
#include "samples.h"

namespace ticket {
namespace {

using Scores = std::vector<float>;
using Mask = std::vector<std::uint8_t>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

bool same_bits(const Scores& a, const Scores& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

struct Tallied {
  Tally tally;
  std::vector<std::int64_t> histogram;
};

Tallied tallied(const Kernels& kernels, const Scores& scores, const Mask& mask, bool absolute,
                Range range, int shift) {
  Tallied result{{1, 2, 3, false}, std::vector<std::int64_t>(4096, 7)};  // it adds, to anything
  kernels.tally(scores.data(), mask.data(), static_cast<std::int64_t>(scores.size()), absolute,
                range, shift, result.histogram.data(), &result.tally);
  return result;
}

void check_tally(const Kernels& kernels, const Scores& scores, const Mask& mask, bool absolute,
                 Range range, int shift) {
  const Tallied expected = tallied(scalar, scores, mask, absolute, range, shift);
  const Tallied actual = tallied(kernels, scores, mask, absolute, range, shift);
  CHECK(actual.tally.kept == expected.tally.kept);
  CHECK(actual.tally.below == expected.tally.below);
  CHECK(actual.tally.inside == expected.tally.inside);
  CHECK(actual.tally.has_nan == expected.tally.has_nan);
  CHECK(actual.histogram == expected.histogram);
  Tally without;
  kernels.tally(scores.data(), mask.data(), static_cast<std::int64_t>(scores.size()), absolute,
                range, shift, nullptr, &without);
  CHECK(without.kept + 1 == expected.tally.kept && without.below + 2 == expected.tally.below);
  CHECK(without.inside + 3 == expected.tally.inside);
}

void check_cut_below(const Kernels& kernels, const Scores& scores, Mask mask, bool absolute,
                     Range range) {
  const auto size = static_cast<std::int64_t>(scores.size());
  Tally tally;
  scalar.tally(scores.data(), mask.data(), size, absolute, range, 0, nullptr, &tally);
  const auto inside = static_cast<std::size_t>(tally.inside);
  std::vector<Undecided> expected(inside);
  std::vector<Undecided> actual(inside);  // exactly as many as were counted
  Mask expected_mask = mask;
  CHECK(scalar.cut_below(scores.data(), expected_mask.data(), size, absolute, range, 40,
                         expected.data()) == tally.inside);
  CHECK(kernels.cut_below(scores.data(), mask.data(), size, absolute, range, 40,
                          actual.data()) == tally.inside);
  CHECK(mask == expected_mask);
  CHECK(std::equal(actual.begin(), actual.end(), expected.begin(),
                   [](const Undecided& a, const Undecided& b) {
                     return a.key == b.key && a.position == b.position;
                   }));
}

void check_cut_ties(const Kernels& kernels, const Scores& scores, Mask mask, bool absolute,
                    Key threshold, std::int64_t ties) {
  const auto size = static_cast<std::int64_t>(scores.size());
  Mask expected = mask;
  const std::int64_t left =
      scalar.cut_ties(scores.data(), expected.data(), size, absolute, threshold, ties);
  CHECK(kernels.cut_ties(scores.data(), mask.data(), size, absolute, threshold, ties) == left);
  CHECK(mask == expected);
}

void check_hold(const Kernels& kernels, Scores values, const Mask& mask) {
  if (!values.empty()) values[values.size() / 2] = kNan;
  Scores expected = values;
  scalar.hold(expected.data(), mask.data(), static_cast<std::int64_t>(values.size()));
  kernels.hold(values.data(), mask.data(), static_cast<std::int64_t>(values.size()));
  CHECK(same_bits(values, expected));
}

void check_bits(const Kernels& kernels, const Mask& mask) {
  const auto size = static_cast<std::int64_t>(mask.size());
  Mask expected((mask.size() + 7) / 8);
  Mask packed(expected.size());
  scalar.pack(mask.data(), size, expected.data());
  kernels.pack(mask.data(), size, packed.data());
  CHECK(packed == expected);
  Mask back(mask.size(), 9);
  kernels.unpack(packed.data(), size, back.data());
  CHECK(back == mask);
}

void check_all(const Kernels& kernels, std::size_t size, Flavour flavour, unsigned percent) {
  Scores scores = some_scores(size, flavour, static_cast<unsigned>(size));
  const Mask mask = some_mask(size, percent, static_cast<unsigned>(size) + 1);
  for (const bool absolute : {true, false}) {
    const Key one = key_of(1.0F, absolute);
    check_tally(kernels, scores, mask, absolute, {-kInfinity, kInfinity}, 20);
    check_tally(kernels, scores, mask, absolute, {one - (1 << 20), one + (1 << 20)}, 9);
    check_tally(kernels, scores, mask, absolute, {0, 0}, 0);
    check_cut_below(kernels, scores, mask, absolute, {one - (1 << 20), one + (1 << 20)});
    for (const Key threshold : {Key{0}, one, key_of(-0.25F, absolute)}) {
      for (const std::int64_t ties : {0, 1, 40, 1000000}) {
        check_cut_ties(kernels, scores, mask, absolute, threshold, ties);
      }
    }
  }
  check_hold(kernels, scores, mask);
  check_bits(kernels, mask);
  // A NaN at a pruned position is nobody's business; at a kept one it is counted.
  if (size > 0) {
    scores[size - 1] = -kNan;
    check_tally(kernels, scores, mask, true, {0, kInfinity}, 20);
    check_tally(kernels, scores, mask, false, {-kInfinity, kInfinity}, 20);
  }
}

void check_reference() {
  CHECK(key_of(-0.0F, false) == key_of(0.0F, false));
  CHECK(key_of(-std::numeric_limits<float>::denorm_min(), false) == -1);
  CHECK(key_of(-2.0F, false) < key_of(-1.0F, false) && key_of(-2.0F, true) > key_of(1.0F, true));
  CHECK(is_nan(kNan) && is_nan(-kNan) && !is_nan(-std::numeric_limits<float>::infinity()));

  Scores values{1.0F, kNan, -2.0F, std::numeric_limits<float>::infinity()};
  const Mask mask{1, 0, 0, 0};
  scalar.hold(values.data(), mask.data(), 4);
  CHECK(same_bits(values, {1.0F, 0.0F, 0.0F, 0.0F}));

  std::uint8_t bits[2] = {0, 0};
  const Mask nine{1, 0, 0, 1, 0, 0, 0, 0, 1};
  scalar.pack(nine.data(), 9, bits);
  CHECK(bits[0] == 9 && bits[1] == 1);

  const Scores scores{3.0F, 1.0F, 2.0F, 1.0F, 1.0F};
  Mask ties{1, 1, 1, 0, 1};
  CHECK(scalar.cut_ties(scores.data(), ties.data(), 5, true, key_of(1.0F, true), 1) == 0);
  CHECK((ties == Mask{1, 0, 1, 0, 1}));
}

void check_choice() {
  CHECK(select_kernels("scalar") == &scalar);
  CHECK(select_kernels("sse9") == nullptr);
  CHECK(select_kernels(nullptr) != nullptr && select_kernels("") == select_kernels(nullptr));
}

}  // namespace
}  // namespace ticket

int main() {
  using namespace ticket;
  check_reference();
  check_choice();
  for (const char* name : {"scalar", "avx2", "avx512"}) {
    const Kernels* kernels = select_kernels(name);
    std::printf("%s: %s\n", name, kernels != nullptr ? "tested" : "not on this CPU");
    if (kernels == nullptr) continue;
    for (const Flavour flavour : kFlavours) {
      for (std::size_t size = 0; size < 70; ++size) check_all(*kernels, size, flavour, 70);
      for (const std::size_t size : {127, 128, 129, 1000, 4099}) {
        for (const unsigned percent : {0, 10, 100}) check_all(*kernels, size, flavour, percent);
      }
    }
  }
}
