"""How small a file can be: the entropy of where the nonzeros are, and their values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import log2

from ticket.exporting.decode import decode
from ticket.exporting.ir import Conv, Graph, Linear
from ticket.exporting.value_type import ValueType


def entropy(density: float) -> float:
    """Return the binary entropy in bits: -p log2 p - (1 - p) log2 (1 - p)."""
    if density in (0.0, 1.0):
        return 0.0
    rest = 1 - density
    return -density * log2(density) - rest * log2(rest)


@dataclass(frozen=True)
class Size:
    """Hold the bytes of a plan: all, of the weights (positions and values), of biases; the bound."""

    plan: int
    weights: int
    biases: int
    bound: float

    @property
    def container(self) -> int:
        """Return the bytes that are neither weights nor biases."""
        return self.plan - self.weights - self.biases

    @property
    def ratio(self) -> float:
        """Return the weights' bytes over the bound; infinite for a network without weights."""
        return self.weights / self.bound if self.bound else float("inf")


def total(sizes: Iterable[Size]) -> Size:
    """Add up the sizes of several plans."""
    plans, weights, biases, bounds = zip(
        *((size.plan, size.weights, size.biases, size.bound) for size in sizes), strict=True
    )
    return Size(sum(plans), sum(weights), sum(biases), sum(bounds))


def measure(data: bytes) -> Size:
    """Measure the bytes of a plan. Raises TicketError for anything else."""
    plan = decode(data)
    stored = [s for s in plan.stored if s is not None]
    biases = [op.bias for op in plan.graph.ops if isinstance(op, Conv | Linear)]
    return Size(
        plan=len(data),
        weights=sum(s.size for s in stored),
        biases=4 * sum(bias.numel() for bias in biases if bias is not None),
        bound=bound(plan.graph, stored[0].values if stored else ValueType.FP32),
    )


def bound(graph: Graph, values: ValueType = ValueType.FP32) -> float:
    """Return the bytes that positions and values need at least.

    The sum over layers of weights x H(density) / 8 + kept x bytes of a value, which is what random
    masks of the layers' densities need on average.
    """
    total = 0.0
    for op in graph.ops:
        if isinstance(op, Conv | Linear):
            weights, kept = op.weight.numel(), int(op.weight.count_nonzero())
            total += weights * entropy(kept / weights) / 8 + kept * values.size
    return total
