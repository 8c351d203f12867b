// Plans that were packed already, found again by their bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/pages.h"

namespace ticket {

// A block of `runtime::pack`; it lives as long as anybody runs it.
using PackedPlan = std::shared_ptr<const runtime::PackedBytes>;

// Decodes and packs the bytes of a plan.  False, with one line in *error, if that cannot be.
bool pack_bytes(const std::uint8_t* bytes, std::size_t size, runtime::PackedBytes* block,
                std::string* error);

// The same, but each plan once: a later call with equal bytes, wherever they lie, gets the same
// block.  The last few plans are kept.  Safe from several threads.  Null, with one line in *error,
// if the bytes are no plan.
PackedPlan packed_once(const std::uint8_t* bytes, std::size_t size, std::string* error);

}  // namespace ticket
