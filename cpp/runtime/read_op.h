// One operation's fields, in the order of the file.
#pragma once

#include <string>
#include <vector>

#include "runtime/bytes.h"
#include "runtime/plan.h"

namespace ticket::runtime {

constexpr char kShort[] = "the plan ends before its last field";

// Reads what follows op->code.  Ids and shapes are still to be checked; that an id is no value
// is no error here.  False, with *why, for anything else that cannot be.
bool read_op(Reader& reader, const std::vector<Shape>& values, Op* op, std::string* why);

}  // namespace ticket::runtime
