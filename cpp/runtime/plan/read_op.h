// One operation's fields, in the order of the file.
#pragma once

#include <string>
#include <vector>

#include "runtime/plan/bytes.h"
#include "runtime/plan/plan.h"

namespace ticket::runtime {

constexpr char kShort[] = "the plan ends before its last field, or a number in it is too long";

// Reads a rank and that many dimensions.  False, with *why, unless they make 1 to 2^31 elements.
bool read_shape(Reader& reader, Shape* shape, std::string* why);

// Reads what follows op->code; `values` are those that are written before it, and *reshaped is
// what an operation of kReshape makes.  That the shapes agree is still to be checked.  False, with
// *why, for anything else that cannot be.
bool read_op(Reader& reader, const std::vector<Shape>& values, Op* op, Shape* reshaped,
             std::string* why);

}  // namespace ticket::runtime
