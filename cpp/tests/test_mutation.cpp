// Damaged and hostile files: whatever bits of a real plan change, loading and running it ends
// with an error or an answer, within the memory that the file pays for.  The sanitizers that the
// tests are built with see every access out of bounds.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>

#include "check.h"
#include "counted_memory.h"
#include "exercise.h"
#include "reference.h"
#include "runtime/plan/format.h"
#include "runtime/plan/plan.h"
#include "runtime/ticket_runtime.h"
#include "sample_plans.h"

namespace ticket::runtime {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr int kSealed = 5000;    // mutants of each plan whose checksum was made right again
constexpr int kUnsealed = 1000;  // and whose was not
constexpr int kAnswered = 32;    // of how many mutants one is compared with the reference
constexpr std::size_t kSlack = 64 << 10;

// Where the bytes are that say how the network is built: all but the headers, the metadata and
// what follows the first 20 bytes of each operation, its biases and weights.
std::vector<std::size_t> structure_of(const Plan& plan) {
  std::vector<std::size_t> positions;
  const auto add = [&positions](std::size_t first, std::size_t end) {
    for (std::size_t at = first; at < end; ++at) positions.push_back(at);
  };
  Plan part = plan;
  part.ops.clear();
  std::size_t start = encode(part).size();
  add(kHeaderSize + 1 + plan.metadata.size(), start);
  for (const Op& op : plan.ops) {
    part.ops.push_back(op);
    const std::size_t end = encode(part).size();
    add(start, std::min(end, start + 20));
    start = end;
  }
  return positions;
}

// Flips 1 to 4 bits, at some of these positions or, if there are none, anywhere from `first` on.
void flip_bits(std::mt19937* random, Bytes* bytes, const std::vector<std::size_t>& positions,
               std::size_t first) {
  const std::size_t flips = 1 + (*random)() % 4;
  for (std::size_t i = 0; i < flips; ++i) {
    const std::size_t at = positions.empty() ? first + (*random)() % (bytes->size() - first)
                                             : positions[(*random)() % positions.size()];
    (*bytes)[at] = static_cast<std::uint8_t>((*bytes)[at] ^ 1u << (*random)() % 8);
  }
}

// What loading the undamaged file takes.
std::size_t honest_need(const Bytes& bytes) {
  reset_peak();
  ticket_model* const model = ticket_load_bytes(bytes.data(), bytes.size());
  if (model == nullptr) std::fprintf(stderr, "%s\n", ticket_last_error());
  CHECK(model != nullptr);
  const std::size_t need = peak_bytes();
  ticket_free(model);
  return need;
}

// Whether no flipped bit has made a number so large that floats and doubles must differ.
bool moderate(const Plan& plan, const ReferenceResult& result) {
  const auto all_moderate = [](const std::vector<float>& values) {
    for (const float value : values) {
      if (!(std::fabs(value) < 1e3f)) return false;
    }
    return true;
  };
  for (const Op& op : plan.ops) {
    if (!all_moderate(op.weights.values) || !all_moderate(op.bias) || !all_moderate(op.scale) ||
        !all_moderate(op.shift)) {
      return false;
    }
  }
  return result.largest < 1e6;
}

// A mutant that is a plan gives the answer of that plan.  Whether it was compared.
bool check_answer(const Bytes& bytes) {
  Plan plan;
  std::string error;
  CHECK(decode(bytes.data(), bytes.size(), &plan, &error));
  const std::int64_t size = plan.values[plan.inputs[0]].size();
  if (size > 4096) return false;
  std::vector<float> input(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < input.size(); ++i) {
    input[i] = static_cast<float>(i % 17) / 8.0f - 1.0f;
  }
  const ReferenceResult expected = reference_run(plan, input.data());
  if (!moderate(plan, expected)) return false;
  ticket_model* const model = ticket_load_bytes(bytes.data(), bytes.size());
  CHECK(model != nullptr);
  if (ticket_batch(model) <= 1) {
    std::vector<float> output(expected.output.size());
    CHECK(ticket_run(model, input.data(), 1, output.data(), 1) == 0);
    for (std::size_t i = 0; i < output.size(); ++i) {
      CHECK(std::fabs(output[i] - expected.output[i]) <= 1e-3 * expected.largest + 1e-6);
    }
  }
  ticket_free(model);
  return true;
}

void check_plan(const char* name, const Plan& plan, unsigned seed) {
  const Bytes whole = encode(plan);
  const std::size_t limit = 2 * honest_need(whole) + kSlack;
  CHECK(exercise(whole, limit));

  for (std::size_t size = 0; size < whole.size(); ++size) {
    Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(!exercise(cut, limit));
    if (size < kHeaderSize) continue;
    seal(&cut);
    CHECK(!exercise(cut, limit));
  }

  const std::vector<std::size_t> structure = structure_of(plan);
  std::mt19937 random(seed);
  int accepted = 0;
  int compared = 0;
  for (int i = 0; i < kSealed; ++i) {
    Bytes mutant = whole;
    flip_bits(&random, &mutant, i % 2 == 0 ? structure : std::vector<std::size_t>{}, kHeaderSize);
    seal(&mutant);
    if (!exercise(mutant, limit)) continue;
    if (accepted++ % kAnswered == 0) compared += check_answer(mutant) ? 1 : 0;
  }
  for (int i = 0; i < kUnsealed; ++i) {
    Bytes mutant = whole;
    flip_bits(&random, &mutant, {}, 0);
    CHECK(mutant == whole || !exercise(mutant, limit));  // a bit may have been flipped twice
  }
  std::printf("%s: %zu bytes, %d of %d mutants still are plans, %d answers compared\n", name,
              whole.size(), accepted, kSealed, compared);
  CHECK(accepted < kSealed && compared > 0);  // both ways were tried
}

// What the fuzzer found: a file of 46 bytes, whose one layer has as many channels without a weight
// or a bias as a plan may have, took 50 MB to load.
void check_unpaid() {
  Network net({3, 1, 1000, 3}, 1);
  Window window;
  window.stride_h = 93;
  window.stride_w = 93;
  window.pad_top = window.pad_left = window.pad_bottom = window.pad_right = 1;
  Plan plan = net.plan(net.conv(0, 1 << 13, window, 0));
  plan.ops[0].bias.clear();
  const Bytes bytes = encode(plan);
  CHECK(bytes.size() < 50);
  reset_peak();
  ticket_model* const model = ticket_load_bytes(bytes.data(), bytes.size());
  CHECK(model != nullptr && peak_bytes() <= std::size_t{16} << 20);
  ticket_free(model);
}

// And what it found next: blocks that reach over the end of a large image took a mask of its size.
void check_large_image() {
  Network net({3, 1, 32638, 471}, 1);
  Window window;
  window.stride_h = window.stride_w = 255;
  const Bytes bytes = encode(net.plan(net.conv(0, 1, window, 1)));
  CHECK(bytes.size() < 50);
  CHECK(honest_need(bytes) <= kSlack);
}

}  // namespace
}  // namespace ticket::runtime

int main() {
  using namespace ticket::runtime;
  check_unpaid();
  check_large_image();
  check_plan("residual", residual_network(), 1);
  check_plan("branched", branched_network(), 2);
  check_plan("perceptron", perceptron(), 3);
  check_plan("rows", rows_network(1, 20), 4);
}
