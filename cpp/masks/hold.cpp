// Setting pruned weights to +0.0 over many tensors.
#include "hold.h"

#include "threads.h"

namespace ticket {

void hold(const Kernels& kernels, const std::vector<HeldSegment>& segments, int threads) {
  const std::int64_t total = total_size(segments);
  const int parts = useful_threads(total, threads);
  run_threads(parts, [&](int part) {
    visit_blocks(segments, part_begin(total, part, parts), part_begin(total, part + 1, parts),
                 [&](const HeldSegment& block, std::int64_t) {
                   kernels.hold(block.values, block.mask, block.size);
                 });
  });
}

}  // namespace ticket
