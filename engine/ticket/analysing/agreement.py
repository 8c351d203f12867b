"""How much two tickets of one network agree: which weights they keep, with which signs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ticket.errors import UsageError
from ticket.tickets import Ticket


@dataclass(frozen=True)
class Agreement:
    """Hold counts over one parameter, or over all: kept by one, by the other, by both, of how many.

    `chance`: how many both would keep if each chose its weights at random, layer by layer. `signs`: of
    those that both keep, how many start with the same sign.
    """

    size: int
    one: int
    other: int
    both: int
    chance: float
    signs: int

    @property
    def overlap(self) -> float | None:
        """Return the share of the smaller mask that lies in the other one; None for an empty mask."""
        smaller = min(self.one, self.other)
        return self.both / smaller if smaller else None

    @property
    def above_chance(self) -> float | None:
        """Return 0 for an overlap as by chance, 1 for the largest that can be, below 0 for less."""
        room = min(self.one, self.other) - self.chance
        return (self.both - self.chance) / room if room > 0 else None

    @property
    def sign_agreement(self) -> float | None:
        """Return the share of equal signs among the weights that both keep."""
        return self.signs / self.both if self.both else None


def agreement(one: Ticket, other: Ticket) -> dict[str, Agreement]:
    """Compare two tickets parameter by parameter. Raises UsageError for those of different networks."""
    shapes = [{n: t.state[n].shape for n in t.record["prunable"]} for t in (one, other)]
    if shapes[0] != shapes[1]:
        raise UsageError(
            "the tickets are for different networks, so their masks cannot be compared"
        )
    found = {}
    for name, shape in shapes[0].items():
        dense = torch.ones(shape, dtype=torch.bool)
        a, b = one.masks.get(name, dense), other.masks.get(name, dense)
        both = a & b
        same = one.state[name].sign() == other.state[name].sign()
        kept = int(a.sum()), int(b.sum())
        found[name] = Agreement(
            dense.numel(),
            *kept,
            int(both.sum()),
            kept[0] * kept[1] / dense.numel(),
            int((both & same).sum()),
        )
    return found


def total(parts: Mapping[str, Agreement]) -> Agreement:
    """Add up all parameters; chance is by layer, so equal layer densities alone are no agreement."""
    columns = zip(
        *((p.size, p.one, p.other, p.both, p.chance, p.signs) for p in parts.values()), strict=True
    )
    size, one, other, both, chance, signs = (sum(column) for column in columns)
    return Agreement(int(size), int(one), int(other), int(both), chance, int(signs))
