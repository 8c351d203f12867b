// The operators `ticket::*`: the only file that sees torch, through its stable ABI.
//
// Python checks its arguments and says what is wrong with them; the checks here are the last
// line of defence and keep every access in bounds.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "masks/hold.h"
#include "masks/selection.h"

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

}  // namespace

STABLE_TORCH_LIBRARY(ticket, library) {
  library.def("isa() -> str");
  library.def(
      "select_lowest(Tensor[] scores, Tensor(a!)[] masks, int count, bool absolute, int threads)"
      " -> int");
  library.def("hold_(Tensor(a!)[] tensors, Tensor[] masks, int threads) -> bool");
  library.def("pack_bits(Tensor mask) -> Tensor");
  library.def("unpack_bits(Tensor packed, SymInt size) -> Tensor");
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
}
