// What the runtime needs to know of a plan's metadata, a JSON object.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ticket::runtime {

struct Metadata {
  std::string names;  // of the classes, UTF-8, each followed by a zero byte
  std::vector<std::uint32_t> starts;  // where each begins in `names`
  std::int64_t batch = 0;  // the only number of images that may be run, or 0: any
  bool takes_pixels = false;  // the plan normalises its input
};

// Reads the members "classes" (an array of strings), "batch" (0 or more) and "normalisation"
// (null, or an object: it is in the plan, unless its member "in_plan" is false); others are
// skipped, missing ones keep their defaults.  False, with *why, for text that is no JSON object,
// for a member of another type, and for nesting deeper than 32.
bool read_metadata(const std::string& json, Metadata* metadata, std::string* why);

}  // namespace ticket::runtime
