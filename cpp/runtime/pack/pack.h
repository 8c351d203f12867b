// A plan made ready to run: one position-independent block of bytes (see block.h).
#pragma once

#include <optional>
#include <string>

#include "runtime/pack/cut.h"
#include "runtime/pages.h"
#include "runtime/plan/plan.h"

namespace ticket::runtime {

// Lays the plan out for this CPU's kernels.  False, with one line in *error, for a plan that
// cannot be run (too large for the offsets, an unknown instruction set in TICKET_ISA).
bool pack(const Plan& plan, PackedBytes* block, std::string* error);

// The same with a choice of the caller's, for tests.
bool pack_cut(const Plan& plan, const std::optional<Cut>& cut, bool moves_always,
              PackedBytes* block, std::string* error);

}  // namespace ticket::runtime
