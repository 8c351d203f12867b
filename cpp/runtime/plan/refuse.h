// A reason why something is refused.
#pragma once

#include <string>

namespace ticket::runtime {

// Says why in *why and returns false, so that a check can end in one line.
inline bool refuse(std::string* why, const std::string& reason) {
  *why = reason;
  return false;
}

}  // namespace ticket::runtime
