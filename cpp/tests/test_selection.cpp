// The selection clears exactly what a full sort by score and position would, whatever the scores,
// the instruction set and the number of threads.
#include "../masks/selection.h"

#include <numeric>
#include <vector>

#include "../masks/hold.h"
#include "check.h"
#include "samples.h"

namespace ticket {
namespace {

using Mask = std::vector<std::uint8_t>;

// The tensors of a network: `sizes` cut from one row of scores and one of mask bytes.
std::vector<ScoredSegment> cut_up(const std::vector<float>& scores, Mask& mask,
                                  const std::vector<std::int64_t>& sizes) {
  std::vector<ScoredSegment> segments;
  std::int64_t first = 0;
  for (const std::int64_t size : sizes) {
    segments.push_back({scores.data() + first, mask.data() + first, size});
    first += size;
  }
  CHECK(first == static_cast<std::int64_t>(scores.size()));
  return segments;
}

// Positions kept, in the order in which they go.
std::vector<std::size_t> sorted_out(const std::vector<float>& scores, const Mask& mask,
                                    bool absolute) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (mask[i] != 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return key_of(scores[a], absolute) < key_of(scores[b], absolute);
  });
  return order;
}

void check_selection(const Kernels& kernels, const std::vector<float>& scores, const Mask& mask,
                     const std::vector<std::int64_t>& sizes, bool absolute) {
  const std::vector<std::size_t> order = sorted_out(scores, mask, absolute);
  const auto kept = static_cast<std::int64_t>(order.size());
  for (const std::int64_t count : {std::int64_t{0}, std::int64_t{1}, kept / 5, kept / 2, kept - 1,
                                   kept, kept + 1}) {
    if (count < 0) continue;
    Mask expected = mask;
    for (std::int64_t i = 0; i < count && count <= kept; ++i) {
      expected[order[static_cast<std::size_t>(i)]] = 0;
    }
    for (int threads = 1; threads <= 3; ++threads) {
      Mask actual = mask;
      const std::int64_t outcome =
          select_lowest(kernels, cut_up(scores, actual, sizes), count, absolute, threads);
      CHECK(outcome == (count <= kept ? kSelected : kTooFewKept));
      CHECK(actual == expected);
    }
  }
}

void check_nan(const Kernels& kernels) {
  for (const bool kept : {true, false}) {
    std::vector<float> scores = some_scores(300, Flavour::spread, 1);
    Mask mask(300, 1);
    scores[250] = std::numeric_limits<float>::quiet_NaN();
    mask[250] = kept ? 1 : 0;
    const Mask before = mask;
    const auto outcome = select_lowest(kernels, cut_up(scores, mask, {200, 0, 100}), 7, true, 2);
    CHECK(outcome == (kept ? 2 : kSelected));
    CHECK((mask == before) == kept);
  }
}

// Wherever the search begins, it ends at the same place; among the guesses are the neighbours of
// keys that occur.
void check_guesses(const Kernels& kernels) {
  const std::vector<std::int64_t> sizes{500, 700};
  for (const Flavour flavour : {Flavour::spread, Flavour::extreme}) {
    const std::vector<float> scores = some_scores(1200, flavour, 8);
    const Mask mask = some_mask(1200, 90, 9);
    const std::vector<std::size_t> order = sorted_out(scores, mask, false);
    for (std::size_t count = 1; count <= order.size(); count += 23) {
      Mask expected = mask;
      for (std::size_t i = 0; i < count; ++i) expected[order[i]] = 0;
      const Key threshold = key_of(scores[order[count - 1]], false);
      for (const int low : {-3, -2, -1, 0, 1, 2}) {
        for (const int width : {0, 1, 70000}) {
          const Range guess{std::max(threshold + low, -kInfinity),
                            std::min(threshold + low + width, kInfinity)};
          Mask actual = mask;
          if (guess.low > guess.high) continue;
          CHECK(select_lowest_near(guess, kernels, cut_up(scores, actual, sizes),
                                   static_cast<std::int64_t>(count), false, 1) == kSelected);
          CHECK(actual == expected);
        }
      }
    }
  }
}

// Long enough for a sample and for three threads; the lengths are no multiples of a vector's.
void check_long(const Kernels& kernels) {
  const std::vector<std::int64_t> sizes{1000003, 1, 64, 2200001};
  const auto total = static_cast<std::size_t>(std::accumulate(sizes.begin(), sizes.end(), 0));
  for (const Flavour flavour : {Flavour::spread, Flavour::tied, Flavour::constant}) {
    std::vector<float> scores = some_scores(total, flavour, 3);
    check_selection(kernels, scores, some_mask(total, 60, 4), sizes, true);
  }
  // Few scores that no sample knows of.
  std::vector<float> scores(total, 1.0F);
  for (std::size_t i = 0; i < total; i += 100000) scores[i] = -static_cast<float>(i);
  check_selection(kernels, scores, Mask(total, 1), sizes, false);
}

void check_hold() {
  std::vector<float> values = some_scores(2500001, Flavour::extreme, 5);
  const Mask mask = some_mask(values.size(), 50, 6);
  std::vector<float> expected = values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (mask[i] == 0) expected[i] = 0.0F;
  }
  hold(*select_kernels(nullptr),
       {{values.data(), mask.data(), 2000000}, {values.data() + 2000000, mask.data() + 2000000,
                                                500001}},
       2);
  CHECK(std::memcmp(values.data(), expected.data(), values.size() * sizeof(float)) == 0);
}

// More elements than 32 bits count: one tensor, listed again and again; only counting, because
// its mask must not be written as if it were many.
void check_beyond_32_bits(const Kernels& kernels) {
  const std::vector<float> scores = some_scores(1 << 20, Flavour::spread, 7);
  Mask mask(scores.size(), 1);
  const std::vector<ScoredSegment> segments(
      4097, {scores.data(), mask.data(), static_cast<std::int64_t>(scores.size())});
  const std::int64_t total = total_size(segments);
  CHECK(total > std::int64_t{1} << 32);
  CHECK(select_lowest(kernels, segments, total + 1, true, 2) == kTooFewKept);
  CHECK(select_lowest(kernels, segments, total, true, 2) == kSelected);
  CHECK(std::count(mask.begin(), mask.end(), 0) == 1 << 20);
}

}  // namespace
}  // namespace ticket

int main(int argc, char**) {
  using namespace ticket;
  for (const char* name : {"scalar", "avx2", "avx512"}) {
    const Kernels* kernels = select_kernels(name);
    if (kernels == nullptr) continue;
    for (const Flavour flavour : kFlavours) {
      for (const unsigned percent : {10, 100}) {
        for (const bool absolute : {true, false}) {
          for (std::int64_t size = 0; size < 70; size += 3) {
            const auto total = static_cast<std::size_t>(size + 5);
            check_selection(*kernels, some_scores(total, flavour, 1), some_mask(total, percent, 2),
                            {size, 5}, absolute);
          }
          check_selection(*kernels, some_scores(9000, flavour, 1), some_mask(9000, percent, 2),
                          {4000, 0, 5000}, absolute);
        }
      }
    }
    check_nan(*kernels);
    check_guesses(*kernels);
  }
  // Takes seconds: only with an argument, whichever.
  if (argc > 1) check_beyond_32_bits(*select_kernels(nullptr));
  check_long(*select_kernels(nullptr));
  check_hold();
}
