// What a program does with a file that it does not trust: load it, look at it, run it.
#pragma once

#include <cstdint>
#include <vector>

namespace ticket::runtime {

// What a run may cost at most; by default some hundredths of a second under the sanitizers.
struct Effort {
  double work = 1 << 25;           // multiply-adds an image
  std::int64_t memory = 64 << 20;  // bytes a thread
  int threads = 2;
};

// Loads these bytes by the C API and, if they are a plan whose run costs no more than `effort`,
// runs 1 and 3 images.  Whether they were a plan.  Ends the program when a refusal has no text, or when memory is taken without need: more
// than `load_limit` bytes while loading; a run's threads more than ticket_memory says, or that
// more than twice what all values of 16 images with their padding need.
bool exercise(const std::vector<std::uint8_t>& bytes, std::size_t load_limit,
              const Effort& effort = {});

}  // namespace ticket::runtime
