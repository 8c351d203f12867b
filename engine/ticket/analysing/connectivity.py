"""Linear mode connectivity: the error on the straight line between two trained networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from ticket.analysing.statistics import reestimate
from ticket.batches import Splits
from ticket.errors import UsageError
from ticket.evaluation import evaluate
from ticket.network import load_state

POINTS = 30  # on the line, ends among them (Frankle et al. 2020, section 2)
STABLE = 0.02  # a barrier below 2 points of error is none (Frankle et al. 2020, section 2)


@dataclass(frozen=True)
class Line:
    """Hold the test error in [0, 1] at each share of the way, 0 to 1."""

    shares: tuple[float, ...]
    errors: tuple[float, ...]

    @property
    def barrier(self) -> float:
        """Return the highest error on the way less the mean of both ends: the error barrier."""
        return max(self.errors) - (self.errors[0] + self.errors[-1]) / 2

    @property
    def stable(self) -> bool:
        """Tell whether the two networks lie in one linearly connected minimum."""
        return self.barrier < STABLE


def line(
    model: nn.Module,
    one: Mapping[str, Tensor],
    other: Mapping[str, Tensor],
    splits: Splits,
    points: int = POINTS,
) -> Line:
    """Evaluate the network at evenly spaced points between two states; the model is left at `other`.

    Every tensor of floats is interpolated, and BatchNorm statistics are estimated anew at each point,
    the ends too: averaged statistics are those of no network. Raises UsageError for states that differ
    in names or shapes, or fewer than 2 points.
    """
    if points < 2:
        raise UsageError(f"a line wants 2 points or more, got {points}")
    if {n: t.shape for n, t in one.items()} != {n: t.shape for n, t in other.items()}:
        raise UsageError("the two networks are not alike, so there is no line between them")
    shares = tuple(number / (points - 1) for number in range(points))
    errors = []
    for share in shares:
        load_state(model, {n: between(t, other[n], share) for n, t in one.items()})
        reestimate(model, splits.train)
        errors.append(1 - evaluate(model, splits.test).accuracy)
    return Line(shares, tuple(errors))


def between(one: Tensor, other: Tensor, share: float) -> Tensor:
    """Return the point at a share of the way; whole numbers, such as counters, are those of `one`."""
    if not one.is_floating_point():
        return one
    return one if share == 0 else other if share == 1 else one.lerp(other, share)
