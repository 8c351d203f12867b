// A plan whose bytes are whole and sealed, but which says what cannot be, or says it in a longer form
// than it must, is refused with a line that names the operation and what is wrong.
#include <functional>

#include "check.h"
#include "decode_errors.h"
#include "runtime/plan/bytes.h"
#include "runtime/plan/format.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/shapes.h"
#include "sample_plans.h"

namespace ticket::runtime {
namespace {

// What decode says of a plan with this change; in the samples, op i writes value i + 1.
using Change = std::function<void(Plan*)>;

void check_changed(const Plan& original, const Change& change, const std::string& wanted) {
  Plan plan = original;
  change(&plan);
  check_error(encode(plan), wanted);
}

void check_graphs() {
  const auto wrong = [](const Change& change, const std::string& text) {
    check_changed(residual_network(), change, text);
  };
  wrong([](Plan* p) { p->values[0].rank = 2; }, "the input: a shape has rank 2");
  wrong([](Plan* p) { p->values[0].height = 0; }, "the input: a shape has a dimension of zero");
  wrong([](Plan* p) { p->values[0] = {3, 1u << 31, 1u << 31, 4}; }, "more than 2^31 elements");
  wrong([](Plan* p) { p->values[10].rank = 2; }, "op 9 (reshape): a shape has rank 2");
  wrong([](Plan* p) { p->outputs = {12}; }, "the output is value 12, which nothing writes");
  wrong([](Plan* p) { p->outputs = {kNone}; }, "the output is value 4294967295");
  wrong([](Plan* p) { p->ops.pop_back(); }, "the output is value 11, which nothing writes");
  wrong([](Plan* p) { p->ops.clear(); p->outputs = {0}; }, "it has no operations");
  wrong([](Plan* p) { p->ops[0].inputs = {5}; }, "op 0 (affine): it reads value 5, which nothing");
  wrong([](Plan* p) { p->ops[1].inputs = {99}; }, "op 1 (conv): it reads value 99");
  wrong([](Plan* p) { p->ops[1].inputs = {2}; }, "op 1 (conv): it reads value 2");
  wrong([](Plan* p) { p->ops[3].residual = 9; }, "op 3 (conv): it reads value 9");
  wrong([](Plan* p) { p->ops[3].residual = 1; }, "but the residual is 3x12x12");
  wrong([](Plan* p) { p->ops[0].code = static_cast<Code>(14); }, "op 0 (?): unknown operation 14");
  wrong([](Plan* p) { p->ops[0].code = static_cast<Code>(0); }, "op 0 (?): unknown operation 0");
  wrong([](Plan* p) { p->ops[7].act = static_cast<Act>(3); }, "op 7 (add): unknown activation 3");
  wrong([](Plan* p) { p->ops[7].act = static_cast<Act>(4); }, "op 7 (add): unknown flags 4");
  wrong([](Plan* p) {
    p->ops[7].code = Code::kConcat;
    p->ops[7].inputs.assign(kMostOps + 1, 6);
  }, "op 7 (concat): more than 65536 inputs");
  wrong([](Plan* p) {
    Op op;
    op.code = Code::kGlobalMax;
    op.inputs = {9};
    p->ops.insert(p->ops.end(), kMostOps, op);
  }, "65547 operations, above 65536");
}

void check_shapes() {
  const auto wrong = [](const Change& change, const std::string& text) {
    check_changed(residual_network(), change, text);
  };
  wrong([](Plan* p) { p->ops[1].out_channels = 0; p->ops[1].bias.clear(); },
        "op 1 (conv): channels are zero");
  wrong([](Plan* p) { p->ops[1].groups = 0; }, "op 1 (conv): channels are zero");
  wrong([](Plan* p) { p->ops[1].groups = 2; }, "no multiple of the groups");
  wrong([](Plan* p) { p->ops[1].window.kernel_h = 0; }, "zero");
  wrong([](Plan* p) { p->ops[1].window.stride_w = 0; }, "zero");
  wrong([](Plan* p) { p->ops[1].window.dilation_w = 0; }, "zero");
  wrong([](Plan* p) { p->ops[1].window.dilation_w = kNone; }, "larger than the image");
  wrong([](Plan* p) { p->ops[2].window.pad_top = 2; },
        "op 3 (conv): its output is 8x13x12, but the residual is 8x12x12");
  wrong([](Plan* p) { p->ops[1].window.pad_top = kNone; }, "more than 2^31 elements");
  wrong([](Plan* p) { p->ops[1].window.stride_h = p->ops[1].window.pad_top = kNone; },
        "more than 2^31 elements");
  wrong([](Plan* p) { p->ops[1].out_channels = kNone; }, "ends before its last field");
  wrong([](Plan* p) {
    p->ops[1].bias.clear();
    p->ops[1].out_channels = p->ops[1].window.kernel_h = p->ops[1].window.kernel_w = kNone;
  }, "more than 2^40 weights");
  wrong([](Plan* p) { p->ops[1].bias.pop_back(); }, "op 1 (conv)");
  wrong([](Plan* p) { p->values[0] = {1, 3, 1, 1}; },
        "op 1 (conv): the input must be an image, not a vector");
  wrong([](Plan* p) { p->ops[4].window.pad_top = 2; }, "wholly in the padding");
  wrong([](Plan* p) { p->ops[4].window.pad_bottom = 2; }, "wholly in the padding");
  wrong([](Plan* p) { p->ops[7].inputs = {6, 8}; }, "op 7 (add): it reads value 8");
  wrong([](Plan* p) { p->ops[7].inputs = {5, 6}; }, "op 7 (add): the inputs are 8x6x6 and 12x3x3");
  wrong([](Plan* p) { p->values[10] = {1, 13, 1, 1}; }, "op 9 (reshape): the output is 13");
  wrong([](Plan* p) { p->values[10] = {3, 12, 1, 1}; },
        "op 10 (linear): the input is 12x1x1, not a vector");
  wrong([](Plan* p) { p->ops[0].shift.pop_back(); }, "op 1");

  wrong([](Plan* p) {  // 8,193 channels that cost the file nothing
    p->ops[10].out_channels = (1 << 13) + 1;
    p->ops[10].bias.clear();
    p->ops[10].weights = {};
    p->ops[10].weights.total = 1;
  }, "op 10 (linear): 8193 output channels, most of them without");

  const auto branched = [](const Change& change, const std::string& text) {
    check_changed(branched_network(), change, text);
  };
  branched([](Plan* p) { p->ops[3].inputs.clear(); }, "op 3 (concat): no inputs");
  branched([](Plan* p) { p->ops[6].inputs = {5, 4}; }, "op 6 (mul): the inputs are 18x1x1 and");
  branched([](Plan* p) { p->ops[12].window.pad_left = kNone; }, "op 12 (pad): the output has more");
}

}  // namespace
}  // namespace ticket::runtime

int main() {
  using namespace ticket::runtime;
  check_graphs();
  check_shapes();
}
