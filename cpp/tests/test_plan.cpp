// A plan that was written is read back as it was, and everything that is not a whole and
// consistent plan is refused with a line that names what is wrong.
#include <cmath>
#include <functional>
#include <limits>

#include "check.h"
#include "decode_errors.h"
#include "runtime/plan/bytes.h"
#include "runtime/plan/crc32.h"
#include "runtime/plan/format.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/rice.h"
#include "runtime/plan/shapes.h"
#include "sample_plans.h"

namespace ticket::runtime {
namespace {

// A vector of 3 to a vector of 2 by {{0, 2, 0}, {-1, 0, 0}} and the bias {1, 0.5}, then ReLU.
const Bytes kByHand{
    'T', 'K', 'T', 'P', 'L', 'A', 'N', 2,  0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0,
    2, '{', '}',  1, 3,                       // metadata; the input, a vector of 3
    1, 1,                                     // one operation; the output is value 1
    2, 0,  9,  2,                             // linear, of value 0, ReLU and bias, 2 features
    0, 0, 0x80, 0x3f,  0, 0, 0, 0x3f,         // the bias
    0,  2,  1,  0x0a,                         // fp32, a bitmap, 2 nonzeros, 1 byte: at 1 and 3
    0, 0, 0, 0x40,  0, 0, 0x80, 0xbf};        // 2 and -1

void check_by_hand() {
  Bytes bytes = kByHand;
  seal(&bytes);
  Plan plan;
  std::string error;
  CHECK(decode(bytes.data(), bytes.size(), &plan, &error));
  CHECK(plan.metadata == "{}" && plan.values.size() == 2 && plan.ops.size() == 1);
  CHECK(plan.values[0].rank == 1 && plan.values[0].size() == 3);
  CHECK(plan.inputs[0] == 0 && plan.outputs[0] == 1);
  const Op& op = plan.ops[0];
  CHECK(op.code == Code::kLinear && op.inputs[0] == 0 && op.output == 1 && op.residual == kNone);
  CHECK(op.out_channels == 2 && op.in_channels == 3 && op.act == Act::kRelu && !op.dense);
  CHECK((op.bias == std::vector<float>{1.0f, 0.5f}) && op.weights.total == 6);
  CHECK((op.weights.positions == std::vector<std::int64_t>{1, 3}));
  CHECK((op.weights.values == std::vector<float>{2.0f, -1.0f}));
  CHECK(encode(plan) == bytes);
}

void check_crc() {
  const char* const text = "123456789";  // the check value of the CRC catalogues
  CHECK(crc32(reinterpret_cast<const std::uint8_t*>(text), 9) == 0xcbf43926u);
  CHECK(crc32(nullptr, 0) == 0);
}

// Weights as the file has them.
Bytes coded(unsigned type, unsigned k, std::uint64_t count, const Bytes& stream,
            const Bytes& values) {
  Bytes bytes{static_cast<std::uint8_t>(type | k << 2)};
  put_number(bytes, count);
  put_number(bytes, stream.size());
  bytes.insert(bytes.end(), stream.begin(), stream.end());
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

std::string weights_error(const Bytes& bytes, std::int64_t total, Weights* weights) {
  Reader reader{bytes.data(), bytes.data() + bytes.size()};
  std::string why;
  *weights = Weights{};
  return read_weights(reader, total, weights, &why) ? std::to_string(reader.left()) + " left" : why;
}

void check_weights() {
  Weights weights;
  const Bytes two{0x00, 0x3c, 0x00, 0xc0};  // 1 and -2 as halves
  const std::vector<std::int64_t> positions{0, 3};
  // Gaps 0 and 2: "1", "001"; with k = 1 "10", "010"; with k = 2 "100", "101".
  const std::uint8_t streams[] = {0x09, 0x09, 0x29};
  for (unsigned k = 0; k < 3; ++k) {
    CHECK(weights_error(coded(1, k, 2, {streams[k]}, two), 5, &weights) == "0 left");
    CHECK(weights.positions == positions && weights.total == 5);
    CHECK((weights.values == std::vector<float>{1.0f, -2.0f}));
  }
  const Bytes halves{0x01, 0x00, 0x00, 0x80, 0x00, 0xfc, 0xff, 0x7b};
  CHECK(weights_error(coded(1, 0, 4, {0x0f}, halves), 5, &weights) == "0 left");
  CHECK(weights.values[0] == 0x1p-24f && std::signbit(weights.values[1]));
  CHECK(weights.values[2] == -std::numeric_limits<float>::infinity());
  CHECK(weights.values[3] == 65504.0f);
  CHECK(weights_error(coded(2, 0, 1, {0x01}, {0x80, 0xbf}), 2, &weights) == "0 left");
  CHECK(weights.values[0] == -1.0f);
  const Bytes whole{1, 2, 0x00, 0x3c, 0x00, 0xc0};  // nothing is zero: no stream, no length
  CHECK(weights_error(whole, 2, &weights) == "0 left");
  CHECK((weights.positions == std::vector<std::int64_t>{0, 1} && weights.values[1] == -2.0f));
  CHECK(weights_error(coded(0, 24, 0, {}, {}), 1, &weights) == "0 left");

  const auto wrong = [&](const Bytes& bytes, std::int64_t total, const char* text) {
    check_text(weights_error(bytes, total, &weights), text);
  };
  wrong(coded(3, 0, 2, {0x09}, two), 5, "unknown type");
  wrong(coded(1, 25, 2, {0x09}, two), 5, "Rice parameter 25");
  wrong(coded(1, 0, 2, {0x09}, two), 3, "outside");
  wrong(coded(1, 0, 2, {0x09}, {0, 0, 0}), 5, "2 nonzeros");
  wrong(coded(1, 0, 6, {0x3f}, Bytes(12)), 5, "6 nonzeros");
  wrong(coded(1, 3, 3, {0x3f}, Bytes(6)), 5, "3 nonzeros");  // 3 codes of 4 bits in 8
  wrong(coded(1, 0, 2, {0x01}, two), 5, "ends before");
  wrong(coded(1, 4, 2, {0x01, 0x00}, two), 5, "ends before");
  wrong(coded(1, 0, 2, {0x19}, two), 5, "goes on");
  wrong(coded(1, 0, 2, {0x09, 0x00}, two), 5, "goes on");
  wrong(coded(1, 0, 0, {0x00}, {}), 5, "goes on");
  Bytes far(17);  // a gap of about 2^24 * 104, while 5 weights exist
  far[13] = 0x01;
  wrong(coded(1, 24, 1, far, {0, 0}), 5, "outside");
  wrong({0, 0}, 5, "ends inside");
  wrong({1, 2, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x09}, 5, "ends inside");  // the stream's length
  wrong({5, 2, 0x00, 0x3c, 0x00, 0xc0}, 2, "Rice parameter 1 of weights without zeros");
  const Bytes most{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};  // 2^64 - 1
  Bytes huge{0};
  huge.insert(huge.end(), most.begin(), most.end());
  huge.insert(huge.end(), {1, 0x01});
  wrong(huge, kNone, "18446744073709551615 nonzeros");
}

// What number() makes of these bytes, or "failed".
std::string number_of(const Bytes& bytes, std::uint64_t most = ~std::uint64_t{0}) {
  Reader reader{bytes.data(), bytes.data() + bytes.size()};
  const std::uint64_t value = reader.number(most);
  return reader.failed ? "failed" : std::to_string(value) + " " + std::to_string(reader.left());
}

void check_numbers() {
  for (unsigned bits = 0; bits < 64; ++bits) {
    for (const std::uint64_t value : {std::uint64_t{1} << bits, ~(~std::uint64_t{0} << bits),
                                      ~std::uint64_t{0} >> bits}) {
      Bytes bytes;
      put_number(bytes, value);
      CHECK(number_of(bytes) == std::to_string(value) + " 0");
      CHECK(number_of(bytes, value) == std::to_string(value) + " 0");
      if (value > 0) CHECK(number_of(bytes, value - 1) == "failed");
      bytes.pop_back();
      CHECK(number_of(bytes) == "failed");
    }
  }
  CHECK(number_of({0x05, 0x07}) == "5 1");
  CHECK(number_of({0x80, 0x01}) == "128 0");
  CHECK(number_of({0x80, 0x00}) == "failed");  // longer than it must be
  CHECK(number_of({0x85, 0x80, 0x00}) == "failed");
  CHECK(number_of({0x80, 0x80, 0x80, 0x80, 0x10}, 0xffffffffu) == "failed");  // 2^32
  const Bytes ones(9, 0xff);
  for (const std::uint8_t last : {0x02, 0x03, 0x7f, 0x81}) {  // beyond 64 bits
    Bytes bytes = ones;
    bytes.insert(bytes.end(), {last, 0x01});
    CHECK(number_of(bytes) == "failed");
  }
}

void check_round_trips() {
  for (const Plan& plan : {residual_network(), branched_network(), perceptron(),
                           rows_network(1, 28)}) {
    const Bytes bytes = encode(plan);
    Plan back;
    std::string error;
    CHECK(decode(bytes.data(), bytes.size(), &back, &error));
    CHECK(encode(back) == bytes);
    CHECK(back.ops.size() == plan.ops.size());
    for (std::size_t i = 0; i < plan.ops.size(); ++i) {
      CHECK(back.ops[i].weights.positions == plan.ops[i].weights.positions);
      CHECK(back.ops[i].weights.values == plan.ops[i].weights.values);
    }
  }
  std::mt19937 random(5);  // densities from everything to one in 2^20: gaps of many words
  for (unsigned bits = 0; bits <= 20; ++bits) {
    Plan plan = perceptron();
    Op& op = plan.ops[1];
    op.in_channels = plan.values[1].channels = 1u << 20;
    plan.values[0] = {3, 1, 1024, 1024};
    op.weights.total = std::int64_t{20} << 20;
    op.weights.positions.clear();
    op.weights.values.clear();
    for (std::int64_t at = 0; at < op.weights.total && op.weights.values.size() < 5000;
         at += 1 + static_cast<std::int64_t>(random() % (1u << bits))) {
      op.weights.positions.push_back(at);
      op.weights.values.push_back(static_cast<float>(at));
    }
    const Bytes bytes = encode(plan);
    Plan back;
    std::string error;
    CHECK(decode(bytes.data(), bytes.size(), &back, &error));
    CHECK(back.ops[1].weights.positions == op.weights.positions);
  }
}

void check_headers() {
  const Bytes good = encode(perceptron());
  CHECK(error_of(good).empty());
  check_error({}, "does not begin with TKTPLAN");
  const auto changed = [&](std::size_t at, std::uint8_t value) {
    Bytes bytes = good;
    bytes[at] = value;
    return bytes;
  };
  check_error(changed(0, 'X'), "does not begin with TKTPLAN");
  check_error(changed(7, 1), "version 1, but this library reads version 2; export it again");
  check_error(changed(8, 0), "bytes, but there are");
  check_error(changed(16, good[16] ^ 1), "checksum");
  check_error(changed(good.size() - 1, good.back() ^ 1), "checksum");
  Bytes longer = good;
  longer.push_back(0);
  check_error(longer, "bytes, but there are");
  seal(&longer);
  check_error(longer, "1 bytes follow the last operation");
}

// What is written longer than it must be is refused: equal plans are equal bytes.
void check_unique() {
  Bytes bytes = kByHand;
  const auto wrong = [](Bytes changed, const std::string& text) {
    seal(&changed);
    check_error(changed, text);
  };
  bytes[kHeaderSize] = 0x82;
  bytes.insert(bytes.begin() + kHeaderSize + 1, 0x00);
  wrong(bytes, "a number in it is too long");
  const Network start({3, 4, 5, 5}, 1);
  Network net = start;
  const Bytes pool = encode(net.plan(net.pool(Code::kMaxPool, 0, same_window())));
  Bytes wide = pool;  // ..., maxpool, of 0, flags, 3, 1, 1
  wide[wide.size() - 4] = kWideFlag;
  wide.resize(wide.size() - 3);
  wide.insert(wide.end(), {3, 3, 1, 1, 1, 1, 1, 1, 1, 1});
  wrong(wide, "op 0 (maxpool): its window has a shorter form");
  wide.back() = 0;
  wrong(wide, "op 0 (maxpool): a kernel size, stride or dilation is zero");
  net = start;
  Bytes grouped = encode(net.plan(net.conv(0, 4, same_window(), 50, Act::kRelu, 2)));
  // After {}, shape, count, output: conv, of 0, flags, 4 channels, the window, the groups.
  const std::size_t groups = kHeaderSize + 3 + 4 + 2 + 4 + 3;
  CHECK(grouped[groups] == 2);
  grouped[groups] = 1;
  wrong(grouped, "op 0 (conv): one group is said twice");
}

}  // namespace
}  // namespace ticket::runtime

int main() {
  using namespace ticket::runtime;
  check_crc();
  check_numbers();
  check_weights();
  check_by_hand();
  check_round_trips();
  check_headers();
  check_unique();
}
