// What two threads can do with halves of one image.
//
// On one image threads exchange what a layer's output has in common with the next one's input.
// With shares of its channels that is half of it, with shares of its rows of blocks two rows of
// whole vectors a channel; between halves, which lie in memory of their own, one row of a fourth of
// the lanes.  But a half's blocks have half the rows: where these are few, halos and what a filter
// or a tap takes beside its products count twice.
#pragma once

#include "runtime/pack/draft.h"

namespace ticket::runtime {

// Where images go in halves: wherever it can be done is for tests.
enum class Halves { kWherePays, kAlways };

// The part of a plan that two threads should run on halves of an image, whose rows at the cut they
// exchange: the operations from the first on that gain most by it.  `alone` is the draft of the
// whole, whose sums it keeps, bit for bit.  False if there is none.
bool part_in_halves(const Part& whole, const Draft& alone, Halves wanted, Part* halves);

// Whether a part's tensors, those of halves put together, lie as `alone` has them.
bool lies_as(const Draft& alone, const Draft& part);

}  // namespace ticket::runtime
