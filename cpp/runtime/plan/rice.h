// The weights of one layer in the file: Rice-coded gaps between nonzeros, then their values.
//
//   u8 type (0 f32, 1 f16, 2 bf16) + 4 k, number of nonzeros, bytes of the stream, the stream,
//   the values
//
// A gap is the number of zeros since the previous nonzero (or the start) in row-major order; its
// code is gap >> k zero bits, a one bit, the k low bits from the lowest.  Bits fill each byte
// from the lowest; what is left of the last byte is zero.  k = 0 is the bitmap of the nonzeros.
// Where nothing is zero, k is 0 and there is neither a stream nor its length.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/plan/bytes.h"
#include "runtime/plan/plan.h"

namespace ticket::runtime {

constexpr unsigned kLargestRice = 24;

// Reads the weights of an array of `total`.  False, with *why, for anything that is not exactly
// such weights.  Takes 12 bytes of memory for each nonzero, whose value the file must hold.
bool read_weights(Reader& reader, std::int64_t total, Weights* weights, std::string* why);

}  // namespace ticket::runtime
