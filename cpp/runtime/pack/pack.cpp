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
std::size_t likely_size(const Plan& plan, const Ways& ways, bool halved) {
  const std::size_t copies = halved ? 3 : 2;  // of one image, of sixteen, of two halves of one
  constexpr std::size_t kRecords = 1024;  // of an operation's steps in all programs
  std::size_t size = 4096;
  for (const Op& op : plan.ops) {
    const Shape& out = plan.values[op.output];
    size += kRecords + op.weights.values.size() * copies * sizeof(Tap);
    const Way way = ways.of(op, plan.values[op.inputs[0]], out, batch_field(out));
    if (way == Way::kWinograd) size += winograd_bytes(op);
  }
  return size + size / 8;
}

// A block in the making: each of its programs is added by a function of its own.
struct Packing {
  const Plan& plan;
  const LaneKernels& kernels;
  Part whole;
  Header header = {};
  BlockBytes bytes = {};
  std::string unused = {};  // why a program that need not be is not

  bool add(const Draft& draft, Program* program) {
    return emit(draft, kernels, &bytes, program, &unused);
  }

  // What sixteen images do one by one before the cut; gives the part that comes after it.
  Part add_front(const Cut& cut) {
    Part back = whole;
    if (cut.at == 0 || cut.at >= whole.end) return back;
    Part front = whole;
    front.end = cut.at;
    front.output = cut.value;
    front.stages = true;
    Draft draft;
    if (!draft_blocks(front, &draft) || !add(draft, &header.front)) return back;
    back.begin = cut.at;
    back.input = cut.value;
    back.staged = staged_by(draft);
    header.staged = staged_size(draft);
    return back;
  }

  void add_halves(const Part& halves, const Draft& alone) {
    Part rest = whole;
    rest.begin = halves.end;
    rest.input = halves.output;
    Draft first, then;
    if (!draft_blocks(halves, &first) || !draft_blocks(rest, &then) || !lies_as(alone, first) ||
        !lies_as(alone, then)) {
      return;
    }
    if (!add(first, &header.halves) || !add(then, &header.rest)) {
      header.halves = header.rest = {};
      return;
    }
    const auto half_plane = [this](std::uint32_t value) {
      return std::int64_t{plan.values[value].height} / 2 * plan.values[value].width;
    };
    header.shared = 1;
    header.joined = plan.values[halves.output].size();
    header.lower_input = half_plane(halves.input);
    header.lower_joined = half_plane(halves.output);
  }

  // Values that are too large for it are not for the others.
  void add_wide() {
    Draft wide;
    Program program;
    if (draft_wide(whole, &wide) && add(wide, &program)) header.wide = program;
  }

  PackedBytes finish() {
    header.size = bytes.bytes.size();
    // Blocks with equal ids share arenas.
    header.id = hash_of(bytes.bytes.data() + sizeof header, bytes.bytes.size() - sizeof header);
    std::memcpy(bytes.bytes.data(), &header, sizeof header);
    return std::move(bytes.bytes);
  }
};

// The instruction set that TICKET_ISA names, or the best one; null, with one line in *error.
const LaneKernels* wanted_kernels(std::int32_t* isa, std::string* error) {
  const char* const wanted = std::getenv("TICKET_ISA");
  *isa = select_lanes(wanted);
  if (*isa >= 0) return lane_kernels(*isa);
  *error = std::string("TICKET_ISA=") + wanted +
           ": unknown, or not on this CPU; it may be scalar, avx2 or avx512";
  return nullptr;
}

}  // namespace

bool pack(const Plan& plan, PackedBytes* block, std::string* error) {
  return pack_as(plan, {}, block, error);
}

bool pack_as(const Plan& plan, const Choices& choices, PackedBytes* block, std::string* error) {
  Metadata metadata;
  if (!read_metadata(plan.metadata, &metadata, error)) return false;
  std::int32_t isa = 0;
  const LaneKernels* const kernels = wanted_kernels(&isa, error);
  if (kernels == nullptr) return false;
  const Ways ways{kernels->costs, kernels->tile, choices.moves};
  const Cut cut = choices.cut ? *choices.cut : choose_cut(plan, ways);

  Packing packing{plan, *kernels,
                  {&plan, 0, plan.ops.size(), plan.inputs[0], plan.outputs[0], ways}};
  packing.whole.shares = choices.shares;
  Header& header = packing.header;
  std::memcpy(header.magic, kBlockMagic, sizeof kBlockMagic);
  header.format = kBlockFormat;
  header.isa = isa;
  header.io = {plan.values[plan.inputs[0]].size(), plan.values[plan.outputs[0]].size(),
               metadata.batch};
  Draft alone;
  const bool has_blocks = draft_blocks(packing.whole, &alone);
  Part halves;
  const bool has_halves =
      has_blocks && part_in_halves(packing.whole, alone, choices.halves, &halves);
  packing.bytes.bytes.reserve(likely_size(plan, ways, has_halves));
  packing.bytes.add(&header, 1);

  Part back = packing.whole;
  if (has_blocks && packing.add(alone, &header.blocks)) {
    header.has_blocks = 1;
    header.shared = cut.shared;
    header.images_a_group = std::clamp(cut.images_a_group, 1, kLanes);
    back = packing.add_front(cut);
    if (has_halves) packing.add_halves(halves, alone);
  }
  // Where images one by one are as fast, the batch would never run.
  if ((header.has_blocks == 0 || header.images_a_group < kLanes) &&
      !emit(draft_batch(back), *kernels, &packing.bytes, &header.batch, error)) {
    return false;
  }
  if (header.batch.step_count > 0) packing.add_wide();
  *block = packing.finish();
  return true;
}

}  // namespace ticket::runtime
