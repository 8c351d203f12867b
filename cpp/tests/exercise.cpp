#include "exercise.h"

#include <algorithm>
#include <memory>

#include "check.h"
#include "counted_memory.h"
#include "runtime/plan/plan.h"
#include "runtime/ticket_runtime.h"

namespace ticket::runtime {
namespace {

struct Cost {
  double work = 0.0;   // multiply-adds and elements written, an image
  double bytes = 0.0;  // of every value, padded, for 16 images
};

// In doubles, because shapes that nobody would run may be far beyond 64 bits.
Cost cost_of(const Plan& plan) {
  Cost cost;
  const auto vectors = [](const Shape& shape, double more_rows, double more_cols) {
    return 64.0 * shape.channels * (shape.height + more_rows + 4.0) *
           (shape.width + more_cols + 4.0);
  };
  for (const Op& op : plan.ops) {
    const Shape& out = plan.values[op.output];
    const Window& w = op.window;
    const double positions = double{1} * out.height * out.width;
    const bool pool = op.code == Code::kMaxPool || op.code == Code::kAvgPool;
    cost.work += static_cast<double>(out.size()) *
                 (pool ? double{1} * w.kernel_h * w.kernel_w : 1.0);
    cost.work += static_cast<double>(op.dense ? op.weights.total
                                              : static_cast<std::int64_t>(
                                                    op.weights.values.size())) *
                 positions;
    for (const std::uint32_t input : op.inputs) {
      cost.work += static_cast<double>(plan.values[input].size());
      cost.bytes += vectors(plan.values[input], double{1} * w.pad_top + w.pad_bottom,
                            double{1} * w.pad_left + w.pad_right);
    }
    cost.bytes += vectors(out, 0.0, 0.0);
  }
  return cost;
}

void check_refused() { CHECK(ticket_last_error()[0] != '\0'); }

void run_model(const ticket_model* model, const Cost& cost, std::int64_t images,
               const Effort& effort) {
  std::int64_t in[3];
  std::int64_t out[3];
  ticket_input_shape(model, in);
  ticket_output_shape(model, out);
  if (ticket_batch(model) != 0) images = ticket_batch(model);
  if (static_cast<double>(images) * cost.work > 4 * effort.work) return;
  // Exactly as large as they must be, so that a sanitizer sees one read or write too many.
  std::vector<float> input(static_cast<std::size_t>(images * in[0] * in[1] * in[2]), 0.5f);
  std::vector<float> output(static_cast<std::size_t>(images * out[0] * out[1] * out[2]));
  reset_peak();
  if (ticket_run(model, input.data(), images, output.data(), effort.threads) != 0) check_refused();
  CHECK(peak_bytes() <=
        static_cast<std::size_t>(effort.threads * ticket_memory(model) + (64 << 10)));
}

}  // namespace

bool exercise(const std::vector<std::uint8_t>& bytes, std::size_t load_limit,
              const Effort& effort) {
  reset_peak();
  const std::unique_ptr<ticket_model, void (*)(ticket_model*)> model(
      ticket_load_bytes(bytes.data(), bytes.size()), ticket_free);
  CHECK(peak_bytes() <= load_limit);
  if (model == nullptr) {
    check_refused();
    return false;
  }
  for (std::int64_t i = 0; i < ticket_class_count(model.get()); ++i) {
    CHECK(ticket_class_name(model.get(), i) != nullptr);
  }
  Plan plan;
  std::string error;
  CHECK(decode(bytes.data(), bytes.size(), &plan, &error));
  const Cost cost = cost_of(plan);
  CHECK(static_cast<double>(ticket_memory(model.get())) <= 2.0 * cost.bytes + (64 << 10));
  if (cost.work > effort.work || ticket_memory(model.get()) > effort.memory) return true;
  run_model(model.get(), cost, 1, effort);
  run_model(model.get(), cost, 3, effort);
  return true;
}

}  // namespace ticket::runtime
