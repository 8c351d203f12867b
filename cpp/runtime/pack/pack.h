// A plan made ready to run: one position-independent block of bytes (see block.h).
#pragma once

#include <optional>
#include <string>

#include "runtime/pack/cut.h"
#include "runtime/pack/halves.h"
#include "runtime/pages.h"
#include "runtime/plan/plan.h"

namespace ticket::runtime {

// Lays the plan out for this CPU's kernels.  False, with one line in *error, for a plan that
// cannot be run (too large for the offsets, an unknown instruction set in TICKET_ISA).
bool pack(const Plan& plan, PackedBytes* block, std::string* error);

// What tests choose themselves.
struct Choices {
  std::optional<Cut> cut = {};
  Moves moves = Moves::kWherePays;
  Halves halves = Halves::kWherePays;
  Shares shares = Shares::kWherePays;
};

bool pack_as(const Plan& plan, const Choices& choices, PackedBytes* block, std::string* error);

}  // namespace ticket::runtime
