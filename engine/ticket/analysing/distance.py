"""How far training has moved the survivors from where it began."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ticket.errors import UsageError
from ticket.tickets import Ticket


@dataclass(frozen=True)
class Moved:
    """Hold sums over survivors: of squares before, after and of the difference, and of products.

    `signs`: how many of the `kept` end with the sign that they began with.
    """

    kept: int
    before: float
    after: float
    difference: float
    product: float
    signs: int

    @property
    def distance(self) -> float:
        """Return the L2 distance."""
        return math.sqrt(self.difference)

    @property
    def relative(self) -> float | None:
        """Return the distance over the norm at the start."""
        return math.sqrt(self.difference / self.before) if self.before else None

    @property
    def cosine(self) -> float | None:
        """Return the cosine of the angle between start and end."""
        both = math.sqrt(self.before * self.after)
        return self.product / both if both else None


def moved(start: Ticket, trained: Ticket) -> dict[str, Moved]:
    """Compare the start of a training with its end, over the weights kept in both, in double.

    Stabilizing the Lottery Ticket Hypothesis (Frankle et al. 2019) measures stability so. Raises
    UsageError when the two are not of one network.
    """
    found = {}
    for name in start.record["prunable"]:
        if name not in trained.state or trained.state[name].shape != start.state[name].shape:
            raise UsageError(f"the trained weights have no {name!r} of that shape: another network")
        a, b = start.state[name].double().flatten(), trained.state[name].double().flatten()
        for ticket in (start, trained):
            if name in ticket.masks:
                mask = ticket.masks[name].flatten()
                a, b = a * mask, b * mask
        kept = (a != 0) | (b != 0)
        found[name] = Moved(
            int(kept.sum()),
            float(a @ a),
            float(b @ b),
            float((b - a) @ (b - a)),
            float(a @ b),
            int((kept & (a.sign() == b.sign())).sum()),
        )
    return found


def total(parts: Mapping[str, Moved]) -> Moved:
    """Add up all parameters: the distance in the space of all weights."""
    columns = zip(
        *((p.kept, p.before, p.after, p.difference, p.product, p.signs) for p in parts.values()),
        strict=True,
    )
    kept, before, after, difference, product, signs = (sum(column) for column in columns)
    return Moved(int(kept), before, after, difference, product, int(signs))
