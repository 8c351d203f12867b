// The operators `ticket::*`: the only file that sees torch, through its stable ABI.
//
// Python checks its arguments and says what is wrong with them; the checks here are the last
// line of defence and keep every access in bounds.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "masks/hold.h"
#include "masks/selection.h"
#include "plan_cache.h"
#include "runtime/plan/plan.h"
#include "runtime/run/run.h"

namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using Tensors = std::vector<Tensor>;

int clamped(std::int64_t threads) {
  return static_cast<int>(std::clamp<std::int64_t>(threads, 1, 1024));
}

const ticket::Kernels* selected() {
  static const ticket::Kernels* const kernels = ticket::select_kernels(std::getenv("TICKET_ISA"));
  return kernels;
}

const ticket::Kernels& kernels() {
  STD_TORCH_CHECK(selected() != nullptr, "this CPU has no instruction set of TICKET_ISA's name");
  return *selected();
}

// The name of the instruction set in use; empty if TICKET_ISA names none that this CPU has.
std::string isa() { return selected() == nullptr ? "" : selected()->name; }

bool fits(const Tensor& tensor, ScalarType type) {
  return tensor.is_cpu() && tensor.scalar_type() == type && tensor.is_contiguous();
}

bool same_shape(const Tensor& a, const Tensor& b) {
  const auto a_sizes = a.sizes();
  const auto b_sizes = b.sizes();
  return a_sizes.size() == b_sizes.size() &&
         std::equal(a_sizes.begin(), a_sizes.end(), b_sizes.begin());
}

// Whether the kernels can take these tensors; if not, torch does, or says what is wrong.
bool fit(const Tensors& values, const Tensors& masks) {
  if (values.size() != masks.size()) return false;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!fits(values[i], ScalarType::Float) || !fits(masks[i], ScalarType::Bool) ||
        !same_shape(values[i], masks[i])) {
      return false;
    }
  }
  return true;
}

// kSelected, kTooFewKept, the index of the first tensor with a NaN, or kUnfit: nothing done.
constexpr std::int64_t kUnfit = -3;

std::int64_t select_lowest(Tensors scores, Tensors masks, std::int64_t count, bool absolute,
                           std::int64_t threads) {
  if (!fit(scores, masks)) return kUnfit;
  STD_TORCH_CHECK(count >= 0, "count must not be negative");
  std::vector<ticket::ScoredSegment> segments;
  segments.reserve(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    segments.push_back({static_cast<const float*>(scores[i].const_data_ptr()),
                        static_cast<std::uint8_t*>(masks[i].mutable_data_ptr()),
                        masks[i].numel()});
  }
  return ticket::select_lowest(kernels(), segments, count, absolute, clamped(threads));
}

// False: these tensors are not for the kernels and nothing was done.
bool hold(Tensors tensors, Tensors masks, std::int64_t threads) {
  if (!fit(tensors, masks)) return false;
  std::vector<ticket::HeldSegment> segments;
  segments.reserve(tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    segments.push_back({static_cast<float*>(tensors[i].mutable_data_ptr()),
                        static_cast<const std::uint8_t*>(masks[i].const_data_ptr()),
                        masks[i].numel()});
  }
  ticket::hold(kernels(), segments, clamped(threads));
  return true;
}

Tensor pack_bits(Tensor mask) {
  STD_TORCH_CHECK(fits(mask, ScalarType::Bool), "mask must be bool, contiguous, on the CPU");
  const std::int64_t size = mask.numel();
  Tensor packed = torch::stable::new_empty(mask, {(size + 7) / 8}, ScalarType::Byte);
  kernels().pack(static_cast<const std::uint8_t*>(mask.const_data_ptr()), size,
                 static_cast<std::uint8_t*>(packed.mutable_data_ptr()));
  return packed;
}

Tensor unpack_bits(Tensor packed, std::int64_t size) {
  STD_TORCH_CHECK(fits(packed, ScalarType::Byte), "packed must be uint8, contiguous, on the CPU");
  STD_TORCH_CHECK(size >= 0 && packed.numel() == (size + 7) / 8,
                  "packed must hold one bit an element");
  Tensor mask = torch::stable::new_empty(packed, {size}, ScalarType::Bool);
  kernels().unpack(static_cast<const std::uint8_t*>(packed.const_data_ptr()), size,
                   static_cast<std::uint8_t*>(mask.mutable_data_ptr()));
  return mask;
}

// Lays a plan's bytes out for running.  The block is position-independent, so that torch may own
// it, copy it and move it to another process.
Tensor pack_plan(Tensor plan) {
  STD_TORCH_CHECK(fits(plan, ScalarType::Byte), "a plan must be uint8, contiguous, on the CPU");
  ticket::runtime::PackedBytes block;
  std::string error;
  const bool packed = ticket::pack_bytes(static_cast<const std::uint8_t*>(plan.const_data_ptr()),
                                         static_cast<std::size_t>(plan.numel()), &block, &error);
  STD_TORCH_CHECK(packed, "not a plan that this library can run: ", error);
  Tensor tensor =
      torch::stable::new_empty(plan, {static_cast<std::int64_t>(block.size())}, ScalarType::Byte);
  ticket::runtime::prefer_large_pages(tensor.mutable_data_ptr(), block.size());
  std::memcpy(tensor.mutable_data_ptr(), block.data(), block.size());
  return tensor;
}

// What torch::stable::new_empty makes, without finding the operator by its name at each call: that
// would cost a microsecond, a fifth of what a small network takes.
Tensor empty_floats(const std::vector<std::int64_t>& sizes) {
  std::vector<std::int64_t> strides(sizes.size(), 1);
  for (std::size_t i = sizes.size() - 1; i > 0; --i) {
    strides[i - 1] = strides[i] * std::max<std::int64_t>(sizes[i], 1);
  }
  AtenTensorHandle handle = nullptr;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(
      static_cast<std::int64_t>(sizes.size()), sizes.data(), strides.data(),
      aoti_torch_dtype_float32(), aoti_torch_device_type_cpu(), 0, &handle));
  return Tensor(handle);
}

// Runs a packed network: input [N, ...] of as many numbers an image as it takes, output [N, *shape].
Tensor run_packed(const void* block, Tensor input, const std::vector<std::int64_t>& shape,
                  std::int64_t threads) {
  STD_TORCH_CHECK(input.is_cpu() && input.scalar_type() == ScalarType::Float,
                  "the input must be float32, on the CPU");
  STD_TORCH_CHECK(input.dim() >= 1, "the input wants a batch dimension");
  const ticket::runtime::Io io = ticket::runtime::io_of(block);
  const std::int64_t images = input.size(0);
  STD_TORCH_CHECK(input.numel() == images * io.input, "the network takes ", io.input,
                  " numbers an image, the input has ", images == 0 ? 0 : input.numel() / images);
  STD_TORCH_CHECK(io.batch == 0 || io.batch == images, "the network was exported for batches of ",
                  io.batch, ", the input has ", images);
  std::vector<std::int64_t> sizes = {images};
  std::int64_t outputs = 1;
  for (const std::int64_t size : shape) {
    sizes.push_back(size);
    outputs *= size;
  }
  STD_TORCH_CHECK(outputs == io.output, "the network makes ", io.output,
                  " numbers an image, the shape has ", outputs);
  const Tensor dense = input.is_contiguous() ? input : torch::stable::contiguous(input);
  Tensor output = empty_floats(sizes);
  std::string error;
  const bool ran = ticket::runtime::run(block, static_cast<const float*>(dense.const_data_ptr()),
                                        static_cast<float*>(output.mutable_data_ptr()), images,
                                        clamped(threads), &error);
  STD_TORCH_CHECK(ran, error);
  return output;
}

Tensor infer(Tensor packed, Tensor input, std::vector<std::int64_t> shape, std::int64_t threads) {
  STD_TORCH_CHECK(fits(packed, ScalarType::Byte) &&
                      ticket::runtime::is_packed(packed.const_data_ptr(),
                                                 static_cast<std::size_t>(packed.numel())),
                  "the packed network must come from ticket::pack_plan of this library");
  return run_packed(packed.const_data_ptr(), input, shape, threads);
}

// The same from the plan itself, for formats that have no moment of loading: it is packed once.
Tensor infer_plan(Tensor plan, Tensor input, std::vector<std::int64_t> shape,
                  std::int64_t threads) {
  STD_TORCH_CHECK(fits(plan, ScalarType::Byte), "a plan must be uint8, contiguous, on the CPU");
  std::string error;
  const ticket::PackedPlan packed =
      ticket::packed_once(static_cast<const std::uint8_t*>(plan.const_data_ptr()),
                          static_cast<std::size_t>(plan.numel()), &error);
  STD_TORCH_CHECK(packed != nullptr, "not a plan that this library can run: ", error);
  return run_packed(packed->data(), input, shape, threads);
}

}  // namespace

STABLE_TORCH_LIBRARY(ticket, library) {
  library.def("isa() -> str");
  library.def(
      "select_lowest(Tensor[] scores, Tensor(a!)[] masks, int count, bool absolute, int threads)"
      " -> int");
  library.def("hold_(Tensor(a!)[] tensors, Tensor[] masks, int threads) -> bool");
  library.def("pack_bits(Tensor mask) -> Tensor");
  library.def("unpack_bits(Tensor packed, SymInt size) -> Tensor");
  library.def("pack_plan(Tensor plan) -> Tensor");
  library.def("infer(Tensor packed, Tensor input, int[] shape, int threads) -> Tensor");
  library.def("infer_plan(Tensor plan, Tensor input, int[] shape, int threads) -> Tensor");
}

// For every device: what is not on the CPU is answered with "unfit", which torch then serves.
STABLE_TORCH_LIBRARY_IMPL(ticket, CompositeExplicitAutograd, library) {
  library.impl("isa", TORCH_BOX(&isa));
  library.impl("select_lowest", TORCH_BOX(&select_lowest));
  library.impl("hold_", TORCH_BOX(&hold));
}

STABLE_TORCH_LIBRARY_IMPL(ticket, CPU, library) {
  library.impl("pack_bits", TORCH_BOX(&pack_bits));
  library.impl("unpack_bits", TORCH_BOX(&unpack_bits));
  library.impl("pack_plan", TORCH_BOX(&pack_plan));
  library.impl("infer", TORCH_BOX(&infer));
  library.impl("infer_plan", TORCH_BOX(&infer_plan));
}
