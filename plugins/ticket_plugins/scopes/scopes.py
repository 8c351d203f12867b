"""Where scores compete: over all layers, in each layer by its own rate, or by a layer-density rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from ticket.errors import UsageError
from ticket.ladder import Group, Layer, apportion


def global_(layers: Sequence[Layer], ideal: Mapping[str, Fraction], kept: int) -> list[Group]:
    """Let all layers compete for all places."""
    return [Group(tuple(layer.name for layer in layers), kept)]


def layer(layers: Sequence[Layer], ideal: Mapping[str, Fraction], kept: int) -> list[Group]:
    """Cut each layer by its own rate (the model's declared rates with `rates: model`)."""
    return _each(apportion(ideal, kept))


def uniform(layers: Sequence[Layer], ideal: Mapping[str, Fraction], kept: int) -> list[Group]:
    """Give every layer the same density."""
    total = sum(layer.size for layer in layers)
    return _each(apportion({x.name: Fraction(x.size * kept, total) for x in layers}, kept))


def erk(layers: Sequence[Layer], ideal: Mapping[str, Fraction], kept: int) -> list[Group]:
    """Give layer l a density in proportion to sum(dims) / prod(dims), at most 1.

    Erdos-Renyi-Kernel, Evci et al. 2020, section 3; for linear layers it is the Erdos-Renyi rule of
    Mocanu et al. 2018. A layer that would exceed density 1 is made dense, and the rest solved again.
    """
    raw = {x.name: Fraction(sum(x.shape), x.size) for x in layers}
    sizes = {x.name: x.size for x in layers}
    dense: set[str] = set()
    while True:
        free = [name for name in raw if name not in dense]
        places = kept - sum(sizes[name] for name in dense)
        if not free or places < 0:
            raise UsageError(f"erk cannot keep {kept:,} of {sum(sizes.values()):,} weights")
        scale = Fraction(places) / sum(raw[name] * sizes[name] for name in free)
        highest = max(raw[name] for name in free)
        if scale * highest <= 1:
            break
        dense |= {name for name in free if raw[name] == highest}
    shares = {n: Fraction(sizes[n]) if n in dense else scale * raw[n] * sizes[n] for n in raw}
    return _each(apportion(shares, kept))


def _each(kept: Mapping[str, int]) -> list[Group]:
    return [Group((name,), count) for name, count in kept.items()]
