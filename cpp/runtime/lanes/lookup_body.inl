// Rows of a product with one plain vector, sixteen at once (lookups.h), for any Lanes with a
// looked_up, which gives a step's products added to the sums: included by each set's file inside
// its target region.

// Two sums, for each waits for its last addition.
void lookup(const LookupStep& step, const void* block, float* arena) {
  const LookupGroup* const groups = inside<LookupGroup>(block, step.groups);
  const float* const in = arena + step.in;
  for (std::int32_t g = 0; g < step.group_count; ++g) {
    const LookupGroup& group = groups[g];
    const std::int32_t* window = inside<std::int32_t>(block, step.windows) + group.first;
    const std::int32_t* const end = window + group.steps;
    const std::uint8_t* places = inside<std::uint8_t>(block, step.places) + group.first * kLanes;
    const float* weights = inside<float>(block, step.weights) + group.first * kLanes;
    Lanes sums = load(group.bias);
    Lanes others = same(0.0f);
    for (; end - window >= 2; window += 2, places += 2 * kLanes, weights += 2 * kLanes) {
      sums = looked_up(in + window[0], places, weights, sums);
      others = looked_up(in + window[1], places + kLanes, weights + kLanes, others);
    }
    if (window != end) sums = looked_up(in + *window, places, weights, sums);
    alignas(64) float values[kLanes];
    store(values, plus(sums, others));
    for (std::int32_t row = 0; row < group.rows; ++row) {
      const std::int32_t channel = group.channels[row];
      if (step.residual >= 0) values[row] += arena[step.residual + channel];
      arena[step.out + channel] = activated_one(values[row], step.act);
    }
  }
}
