// Which way a convolution goes: asked where a batch is cut, where halos are given out and where
// steps are made, and answered here alone.
#pragma once

#include <cstdint>

#include "runtime/lanes/costs.h"
#include "runtime/plan/plan.h"
#include "runtime/records.h"

namespace ticket::runtime {

enum class Way {
  kTaps,       // tap by tap (conv_body.inl)
  kDense,      // zeros too, four output channels at once (dense_body.inl)
  kWinograd,   // with fewer products (winograd.h)
  kBorders,    // tap by tap in tiles that leave out rows of padding (runs_body.inl)
  kMovedSums,  // tap by tap, and sums are moved where others read halos (runs_body.inl)
};

// How the output's channels lie: rows x cols vectors each.
struct Field {
  Layout layout = Layout::kBatch;
  std::int64_t rows = 0, cols = 0;
};

// Sixteen images at once, and one in 4 x 4 blocks.
Field batch_field(const Shape& out);
Field blocks_field(const Shape& out);

// Where sums are moved: wherever it can be done is for tests.
enum class Moves { kNever, kWherePays, kAlways };

struct Ways {
  Costs costs;
  std::int64_t tile = 1;  // vectors that one may have
  Moves moves = Moves::kWherePays;

  Way of(const Op& op, const Shape& in, const Shape& out, const Field& field) const;

  // The side of the tiles of a convolution that goes by Way::kBorders.
  std::int64_t border_tile(const Shape& out) const;
};

// Whether all weights are stored: what the exporter chose, unless the zeros are many times the
// weights (a file may claim anything) or no two output channels share their input.
bool stores_dense(const Op& op);

}  // namespace ticket::runtime
