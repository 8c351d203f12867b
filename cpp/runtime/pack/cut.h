// How far images go one by one before sixteen of them go on together.
//
// While an image is large its own 16 blocks fill the lanes, and its tensors stay in L2; sixteen
// images' would not.  Where it is small its blocks are a few vectors with a halo as large, and
// every weight is read for each image anew.  So a batch goes through the first operations one by
// one, and through the rest at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/pack/ways.h"
#include "runtime/plan/plan.h"

namespace ticket::runtime {

struct Cut {
  std::size_t at = 0;       // operations before it go one by one; 0: none
  std::uint32_t value = 0;  // what the others take
  int images_a_group = 1;   // how many images one by one take as long as sixteen by the cut
  bool shared = false;      // several threads on one image pay
};

// The one value that goes over each cut of 0..operations, or kNone where there are several.
std::vector<std::uint32_t> values_over_cuts(const Plan& plan);

// The cut that takes the least time by estimate, where one value is all that goes over it.
Cut choose_cut(const Plan& plan, const Ways& ways);

}  // namespace ticket::runtime
