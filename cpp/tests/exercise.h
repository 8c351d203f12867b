// What a program does with a file that it does not trust: load it, look at it, run it.
#pragma once

#include <cstdint>
#include <vector>

namespace ticket::runtime {

// Loads these bytes by the C API and, if they are a plan whose run is cheap (at most 2^25
// multiply-adds an image, 64 MiB a thread), runs 1 and 3 images on 2 threads.  Whether they were a
// plan.  Ends the program when a refusal has no text, or when memory is taken without need: more
// than `load_limit` bytes while loading; a run's threads more than ticket_memory says, or that
// more than twice what all values of 16 images with their padding need.
bool exercise(const std::vector<std::uint8_t>& bytes, std::size_t load_limit);

}  // namespace ticket::runtime
