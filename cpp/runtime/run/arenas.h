// Memory that runs work in, kept from call to call.
#pragma once

#include <cstdint>
#include <memory>

namespace ticket::runtime {

struct FreeFloats {
  void operator()(float* floats) const;
};

// Aligned to 64 bytes; zero when new.
struct Arena {
  std::uint64_t owner = 0;  // of what program its zeros are
  std::int64_t size = 0;    // floats
  std::unique_ptr<float[], FreeFloats> floats;
};

// An arena of at least `size` floats, in which nothing but programs of `owner` has run since it
// was zeros: an idle one, or a new one.  Null floats when memory is short.
Arena take_arena(std::uint64_t owner, std::int64_t size);

// Keeps it for the next call; the one longest idle goes if there are many.
void give_arena(Arena arena);

}  // namespace ticket::runtime
