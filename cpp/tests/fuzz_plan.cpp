// A fuzzer's door to the loader, the decoder and the executor: an input is one native file, whose
// header is made right first, because no fuzzer finds a checksum.  cpp/README.md has the commands.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <vector>

#include "exercise.h"
#include "runtime/plan/format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ticket::runtime;
  std::vector<std::uint8_t> bytes(data, data + size);
  if (size >= kHeaderSize) {
    std::copy(kMagic, kMagic + 7, bytes.begin());
    bytes[7] = kVersion;
    seal(&bytes);
  }
  // The most a byte can cost: it may be an input of a concat, which makes a step of each program.
  // Runs are small, on this thread alone: what counts is how many are tried.
  Effort effort;
  effort.work = 1 << 18;
  effort.memory = 1 << 20;
  effort.threads = 1;
  exercise(bytes, 1024 * size + (16 << 20), effort);
  return 0;
}

// For AFL++, and to try a finding again: fuzz_plan FILE...
#ifndef TICKET_LIBFUZZER
int main(int count, char** paths) {
  for (int i = 1; i < count; ++i) {
    std::ifstream file(paths[i], std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  }
}
#endif
