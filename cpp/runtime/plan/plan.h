// A plan: a network as a flat program over plain tensors, as an exported file holds it.
//
// Shapes are per image.  A decoded plan has been checked whole: every id, shape, count and
// position is in range, and every operation's output has the shape that its input makes.  Value 0
// is the input, and operation i writes value i + 1: the bytes do not say it again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ticket::runtime {

constexpr std::uint32_t kNone = 0xffffffffu;  // no residual

enum class Code : std::uint8_t {
  kConv = 1,
  kLinear = 2,
  kMaxPool = 3,
  kAvgPool = 4,
  kGlobalAvg = 5,
  kGlobalMax = 6,
  kAdd = 7,
  kMul = 8,
  kAct = 9,
  kAffine = 10,
  kPad = 11,
  kConcat = 12,
  kReshape = 13,
};

enum class Act : std::uint8_t { kNone = 0, kRelu = 1, kRelu6 = 2 };

// A value is an image (channels, height, width), or a vector (features, 1, 1) of rank 1.
struct Shape {
  std::uint8_t rank = 3;
  std::uint32_t channels = 0;
  std::uint32_t height = 1;
  std::uint32_t width = 1;

  std::int64_t size() const {
    return std::int64_t{channels} * height * width;
  }
};

// The window of a convolution or a pool.
struct Window {
  std::uint32_t kernel_h = 1, kernel_w = 1;
  std::uint32_t stride_h = 1, stride_w = 1;
  std::uint32_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  std::uint32_t dilation_h = 1, dilation_w = 1;
};

// The weights that are not zero, of a row-major array of `total`.
struct Weights {
  std::int64_t total = 0;
  std::vector<std::int64_t> positions;  // ascending
  std::vector<float> values;
};

// One operation; fields that its code does not use keep their defaults.
struct Op {
  Code code = Code::kAct;
  std::vector<std::uint32_t> inputs;  // of kConcat several, of kAdd and kMul two, else one
  std::uint32_t residual = kNone;     // kConv, kLinear: added before the activation
  std::uint32_t output = 0;
  std::uint32_t out_channels = 0, in_channels = 0, groups = 1;  // kConv; kLinear: features
  Window window;                                                // kConv and pools; kPad: pads
  Act act = Act::kNone;
  bool dense = false;              // the exporter's choice
  bool count_include_pad = true;   // kAvgPool
  float pad_value = 0.0f;          // kPad
  std::vector<float> bias;         // empty, or one a channel
  std::vector<float> scale, shift;  // kAffine: one a channel
  Weights weights;                 // kConv [oc][ic / groups][kh][kw], kLinear [out][in]
};

struct Plan {
  std::string metadata;  // JSON
  std::vector<Shape> values;
  std::vector<std::uint32_t> inputs, outputs;
  std::vector<Op> ops;
};

// Reads a plan of `size` bytes.  False, with one line in *error, for anything but a whole and
// consistent plan; never reads outside the bytes, never takes memory that they do not pay for.
bool decode(const std::uint8_t* bytes, std::size_t size, Plan* plan, std::string* error);

// Writes a plan whose values are numbered so (tests; weights as fp32).
std::vector<std::uint8_t> encode(const Plan& plan);

}  // namespace ticket::runtime
