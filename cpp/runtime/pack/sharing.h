// Whether two threads on one image gain by sharing a convolution.
//
// What a thread has not made itself it takes from the other's cache, line by line: of a narrow
// layer that takes longer than the layer.
#pragma once

#include <cstdint>

#include "runtime/pack/draft.h"

namespace ticket::runtime {

// Cycles; measured on Zen 3.
constexpr double kLine = 45;  // to take 64 bytes from another core

// By estimate, what a convolution of one image in blocks takes where a channel has so many vectors.
double conv_cycles(const Draft& draft, const Task& task, double vectors);

// The same by one thread, and by two that share the channels or the rows, whichever is less to
// exchange.
double cycles_alone(const Draft& draft, const Task& task);
double cycles_shared(const Draft& draft, const Task& task);

// Whether they do.
bool shares(const Draft& draft, const Task& task);

}  // namespace ticket::runtime
