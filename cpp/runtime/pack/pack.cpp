// A plan made ready to run: its programs in one block.
#include "runtime/pack/pack.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "runtime/block.h"
#include "runtime/pack/cut.h"
#include "runtime/pack/emit.h"
#include "runtime/pack/winograd.h"
#include "runtime/plan/metadata.h"

namespace ticket::runtime {
namespace {

// About what the block will have: a block that has to grow lies in memory twice.
std::size_t likely_size(const Plan& plan, const Ways& ways) {
  std::size_t size = 4096;
  for (const Op& op : plan.ops) {
    const Shape& out = plan.values[op.output];
    size += op.weights.values.size() * 2 * sizeof(Tap);  // of one image and of sixteen
    const Way way = ways.of(op, plan.values[op.inputs[0]], out, batch_field(out));
    if (way == Way::kWinograd) size += winograd_bytes(op);
  }
  return size + size / 8;
}

}  // namespace

bool pack(const Plan& plan, PackedBytes* block, std::string* error) {
  return pack_as(plan, {}, block, error);
}

bool pack_as(const Plan& plan, const Choices& choices, PackedBytes* block, std::string* error) {
  Header header;
  std::memcpy(header.magic, kBlockMagic, sizeof kBlockMagic);
  header.format = kBlockFormat;
  Metadata metadata;
  if (!read_metadata(plan.metadata, &metadata, error)) return false;
  header.io.batch = metadata.batch;
  header.io.input = plan.values[plan.inputs[0]].size();
  header.io.output = plan.values[plan.outputs[0]].size();

  const char* const wanted = std::getenv("TICKET_ISA");
  header.isa = select_lanes(wanted);
  if (header.isa < 0) {
    *error = std::string("TICKET_ISA=") + wanted +
             ": unknown, or not on this CPU; it may be scalar, avx2 or avx512";
    return false;
  }
  const LaneKernels& kernels = *lane_kernels(header.isa);
  const Ways ways{kernels.costs, kernels.tile, choices.moves};
  const Cut cut = choices.cut ? *choices.cut : choose_cut(plan, ways);

  BlockBytes bytes;
  bytes.bytes.reserve(likely_size(plan, ways));
  bytes.add(&header, 1);
  const std::size_t count = plan.ops.size();
  const Part whole{&plan, 0, count, plan.inputs[0], plan.outputs[0], ways};
  Part back = whole;
  std::string unused;
  const auto emit_blocks = [&](const Part& part, Draft* draft, Program* program) {
    return draft_blocks(part, draft) && emit(*draft, kernels, &bytes, program, &unused);
  };
  Draft alone;
  if (emit_blocks(whole, &alone, &header.blocks)) {
    header.has_blocks = 1;
    header.shared = cut.shared;
    header.images_a_group = std::clamp(cut.images_a_group, 1, kLanes);
    Part front = whole;
    front.end = cut.at;
    front.output = cut.value;
    front.stages = true;
    Draft draft;
    if (cut.at > 0 && cut.at < count && emit_blocks(front, &draft, &header.front)) {
      back.begin = cut.at;
      back.input = cut.value;
      back.staged = staged_by(draft);
      header.staged = staged_size(draft);
    }
  }
  Part halved;
  if (header.has_blocks != 0 && part_in_halves(whole, alone, choices.halves, &halved)) {
    Part rest = whole;
    rest.begin = halved.end;
    rest.input = halved.output;
    Draft in_halves, after;
    if (draft_blocks(halved, &in_halves) && draft_blocks(rest, &after) &&
        lies_as(alone, in_halves) && lies_as(alone, after) &&
        emit(in_halves, kernels, &bytes, &header.halves, &unused) &&
        emit(after, kernels, &bytes, &header.rest, &unused)) {
      header.shared = 1;
      const auto half_plane = [](const Shape& shape) {
        return std::int64_t{shape.height} / 2 * shape.width;
      };
      header.joined = plan.values[halved.output].size();
      header.lower_joined = half_plane(plan.values[halved.output]);
      header.lower_input = half_plane(plan.values[halved.input]);
    } else {
      header.halves = header.rest = {};
    }
  }
  // Where images one by one are as fast, the batch would never run.
  if ((header.has_blocks == 0 || header.images_a_group < kLanes) &&
      !emit(draft_batch(back), kernels, &bytes, &header.batch, error)) {
    return false;
  }
  if (Draft wide; header.batch.step_count > 0 && draft_wide(whole, &wide)) {
    // Values that are too large for it are not for the others.
    Program program;
    if (emit(wide, kernels, &bytes, &program, &unused)) header.wide = program;
  }
  header.size = bytes.bytes.size();
  // Blocks with equal ids share arenas.
  header.id = hash_of(bytes.bytes.data() + sizeof header, bytes.bytes.size() - sizeof header);
  std::memcpy(bytes.bytes.data(), &header, sizeof header);
  *block = std::move(bytes.bytes);
  return true;
}

}  // namespace ticket::runtime
