"""Which unit of the source each unit of the target is a copy of (E-LTH, arXiv 2103.16547, section 3).

Everything is counted within one stage and from 0; unit 0 is invariant, it is never repeated, dropped
or put elsewhere. In what follows, n units are the n that come after it.
"""

from __future__ import annotations

from typing import Literal

import torch

from ticket.errors import UsageError

Order = Literal["append", "interpolate", "reverse", "shuffle"]
Replicate = Literal["first", "last", "uniform", "random"]
Drop = Literal["inverse", "first", "last", "uniform", "random"]


def assign(
    source: int,
    target: int,
    *,
    order: Order = "append",
    replicate: Replicate = "first",
    drop: Drop = "inverse",
    generator: torch.Generator | None = None,
) -> tuple[int, ...]:
    """Return the source unit of each target unit, for stages of `source` and `target` units in all.

    Stretching n to m units, every unit gets m // n copies, and m % n of them, chosen by `replicate`,
    one more: more unique units fewer times. `append` passes over the units again and again, at last
    over the chosen ones; with `first` position t = 1..m takes unit 1 + (t - 1) mod n. `interpolate`
    lets the copies of a unit stand together. `reverse` is `append` read backwards, `shuffle` the same
    units in a random order; both re-order a stage that keeps its length, too.

    Squeezing n to m units, `drop` says which go: the `first` or `last` n - m, `uniform` keeps evenly
    spaced ones, `random` takes any; `reverse` and `shuffle` re-order what is left. `inverse` undoes
    what the same order with `first` makes of m units, so that stretch and squeeze are the identity:
    it keeps the first m (`append`), the first of every group of copies (`interpolate`), the last m
    (`reverse`); of `shuffle`, which cannot be undone, the first m.

    `generator` is what `random` and `shuffle` draw from; None is torch's own.
    Raises UsageError when there are units to make and none to make them of.
    """
    theirs, ours = source - 1, target - 1
    if ours and not theirs:
        raise UsageError(f"{ours} units cannot be made of a stage that has only its first one")
    if ours > theirs:
        units = _stretched(theirs, ours, order, replicate, generator)
    else:
        units = _squeezed(theirs, ours, order, drop, generator)
    if order == "reverse":
        units = units[::-1]
    if order == "shuffle":
        units = [units[i] for i in torch.randperm(ours, generator=generator).tolist()]
    return (0, *units)


def _stretched(
    theirs: int, ours: int, order: Order, replicate: Replicate, generator: torch.Generator | None
) -> list[int]:
    """Return the units in the order that `interpolate`, else `append`, has them."""
    passes, extra = divmod(ours, theirs)
    again = _chosen(theirs, extra, replicate, generator)
    if order == "interpolate":
        copies = {unit: passes + (unit in again) for unit in range(1, theirs + 1)}
        return [unit for unit, count in copies.items() for _ in range(count)]
    return [*range(1, theirs + 1)] * passes + again


def _squeezed(
    theirs: int, ours: int, order: Order, drop: Drop, generator: torch.Generator | None
) -> list[int]:
    """Return the units that stay, in ascending order."""
    if drop == "inverse" and order == "interpolate" and ours:
        copies = _stretched(ours, theirs, order, "first", None)
        return [copies.index(unit) + 1 for unit in range(1, ours + 1)]
    if drop == "inverse":
        return _chosen(theirs, ours, "last" if order == "reverse" else "first", None)
    keep = {"first": "last", "last": "first"}.get(drop, drop)  # what is dropped, what is kept
    return _chosen(theirs, ours, keep, generator)


def _chosen(units: int, count: int, which: str, generator: torch.Generator | None) -> list[int]:
    """Choose `count` of the units 1..`units`, in ascending order."""
    if which == "first":
        return [*range(1, count + 1)]
    if which == "last":
        return [*range(units - count + 1, units + 1)]
    if which == "uniform":  # from the first on: earlier units are worth more
        return [1 + i * units // count for i in range(count)]
    return sorted(1 + i for i in torch.randperm(units, generator=generator)[:count].tolist())
