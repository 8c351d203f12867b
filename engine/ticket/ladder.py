"""How many weights are kept after each round, as exact integers fixed before anything trains.

The rounding rule: after round r a layer that loses the share p a round ideally keeps n (1-p)^r of its
n weights. Where layers differ in p each is rounded half up; where all have the same p the total is, and
the layers get floors and, by the largest remainders, what is missing, earlier layers first. With rates
20/20/10 LeNet-300-100 keeps 49,325 + 6,291 + 478 weights after round 7. A target sparsity is met
exactly: the last round goes only as far as the target (a fractional r), its total shared as above.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

from ticket.errors import UsageError
from ticket.recipe import Recipe


@dataclass(frozen=True)
class Layer:
    """Describe one prunable parameter."""

    name: str
    shape: tuple[int, ...]
    size: int
    rate: Fraction  # the share of the survivors that one round removes
    excluded: bool = False  # stays dense, counts as dense


@dataclass(frozen=True)
class Group:
    """Let the scores of these layers compete for `kept` places."""

    names: tuple[str, ...]
    kept: int


class Scope(Protocol):
    """Say where scores compete (group `ticket.scopes`); options are keyword-only.

    Gets the layers that take part, what each would keep by its own rate, and how many weights are kept
    in all; returns the groups, whose `kept` sum up to `kept`.
    """

    def __call__(
        self, layers: Sequence[Layer], ideal: Mapping[str, Fraction], kept: int
    ) -> list[Group]: ...


@dataclass(frozen=True)
class Rung:
    """Say what is kept after one round: how many rounds' worth of cutting, and how many weights."""

    exponent: float
    kept: int  # of the layers that take part
    ideal: Mapping[str, Fraction]


def apportion(ideal: Mapping[str, Fraction], total: int) -> dict[str, int]:
    """Round `ideal` to integers that sum to `total`, by largest remainders, earlier names first."""
    floors = {name: math.floor(share) for name, share in ideal.items()}
    missing = total - sum(floors.values())
    order = sorted(ideal, key=lambda name: (floors[name] - ideal[name], list(ideal).index(name)))
    for name in order[: max(0, missing)]:
        floors[name] += 1
    return floors


def half_up(number: Fraction) -> int:
    """Round half up."""
    return math.floor(number + Fraction(1, 2))


def ladder(recipe: Recipe, layers: Sequence[Layer]) -> list[Rung]:
    """Return one rung a round, by the recipe's rounds, rate and sparsity.

    Raises UsageError when the target cannot be reached, saying what would reach it.
    """
    inside = [layer for layer in layers if not layer.excluded]
    if recipe.sparsity is None:
        if recipe.rounds and recipe.rate is None:
            raise UsageError(f"recipe '{recipe.name}' needs a rate or a sparsity beside its rounds")
        return [_rung(inside, r) for r in range(1, (recipe.rounds or 0) + 1)]
    target = _target(recipe, layers, inside)
    needed = _exponent(inside, target)
    if recipe.rounds is not None and recipe.rate is None:
        exponents = [needed * r / recipe.rounds for r in range(1, recipe.rounds)]
    else:
        whole = math.ceil(needed - 1e-9)
        _check_rounds(recipe, layers, inside, whole)
        exponents = [float(r) for r in range(1, whole)]
    return [_rung(inside, e) for e in exponents] + [_rung(inside, needed, target)]


def _target(recipe: Recipe, layers: Sequence[Layer], inside: Sequence[Layer]) -> int:
    total, free = sum(x.size for x in layers), sum(x.size for x in inside)
    density = 1 - Fraction(repr(recipe.sparsity))
    kept = half_up(total * density) - (total - free)
    if kept < 1:
        least = (total - free + 1) / total if total > free else 1 / total
        raise UsageError(
            f"sparsity {recipe.sparsity:g} of {total:,} weights leaves {max(kept, 0)} to prune among; "
            f"ask for at most {1 - least:.6g} or exclude fewer layers"
        )
    return kept


def _check_rounds(
    recipe: Recipe, layers: Sequence[Layer], inside: Sequence[Layer], whole: int
) -> None:
    if recipe.rounds is None or recipe.rounds == whole:
        return
    total = sum(layer.size for layer in layers)
    dense = total - sum(layer.size for layer in inside)
    reached = 1 - (_rung(inside, recipe.rounds).kept + dense) / total
    even = 1 - (1 - float(recipe.sparsity or 0)) ** (1 / max(recipe.rounds, 1))
    enough = math.ceil(1e4 * even) / 1e4
    fault = "do not reach" if recipe.rounds < whole else "go past"
    raise UsageError(
        f"{recipe.rounds} rounds at rate {recipe.rate:g} {fault} sparsity {recipe.sparsity:g} "
        f"(they give {reached:.4g}): leave out --rounds (it takes {whole}), or use --rate {enough:g}"
    )


def _ideal(layers: Sequence[Layer], exponent: float) -> dict[str, Fraction]:
    if exponent == int(exponent):  # exact
        return {x.name: x.size * (1 - x.rate) ** int(exponent) for x in layers}
    return {x.name: x.size * Fraction(float(1 - x.rate) ** exponent) for x in layers}


def _rung(layers: Sequence[Layer], exponent: float, kept: int | None = None) -> Rung:
    ideal = _ideal(layers, exponent)
    if kept is None:
        same = len({x.rate for x in layers}) == 1
        kept = (
            half_up(sum(ideal.values(), Fraction())) if same else sum(map(half_up, ideal.values()))
        )
    return Rung(exponent, kept, ideal)


def between(rung: Rung, have: Mapping[str, int], kept: int) -> Rung:
    """Return the rung on the way from the `have` weights of each layer down to `rung` at `kept` in all."""
    start = sum(have.values())
    share = Fraction(start - kept, max(1, start - rung.kept))
    ideal = {name: have[name] + (rung.ideal[name] - have[name]) * share for name in rung.ideal}
    return Rung(rung.exponent, kept, ideal)


def _exponent(layers: Sequence[Layer], kept: int) -> float:
    """Solve sum n (1-p)^e = kept for e by bisection. Raises UsageError when there is no such e."""
    fixed = sum(x.size for x in layers if x.rate == 0)
    if fixed and kept <= fixed:
        raise UsageError(
            f"{kept:,} kept weights cannot be reached: {fixed:,} are in layers whose rate is 0; "
            "ask for a lower sparsity, or use one rate everywhere (--rate 0.2)"
        )
    low, high = 0.0, 1.0
    while sum(x.size * float(1 - x.rate) ** high for x in layers) > kept:
        low, high = high, high * 2
    for _ in range(200):
        middle = (low + high) / 2
        if sum(x.size * float(1 - x.rate) ** middle for x in layers) > kept:
            low = middle
        else:
            high = middle
    nearest = round(high)  # a target that lies on the ladder is met by whole rounds
    if nearest and _rung(layers, nearest).kept == kept:
        return float(nearest)
    return high


def groups(
    scope: Scope, layers: Sequence[Layer], rung: Rung, masks_kept: Mapping[str, int]
) -> list[Group]:
    """Ask the scope for its groups and check them.

    No group grows: where rounding gives one a weight more than it still has (`masks_kept`), the first
    group with a weight to spare keeps it. Raises UsageError when a group would have to grow by more.
    """
    inside = [layer for layer in layers if not layer.excluded]
    made = scope(inside, rung.ideal, rung.kept)
    have = [sum(masks_kept[name] for name in group.names) for group in made]
    for number, group in enumerate(made):
        if group.kept <= have[number]:
            continue
        spare = next((n for n, other in enumerate(made) if other.kept < have[n]), None)
        if group.kept > have[number] + 1 or spare is None:
            raise UsageError(
                f"{', '.join(group.names)} would need {group.kept:,} weights "
                f"and has {have[number]:,} left"
            )
        made[number] = replace(group, kept=have[number])
        made[spare] = replace(made[spare], kept=made[spare].kept + 1)
    return made


def check_groups(
    scope: Scope, layers: Sequence[Layer], rungs: Sequence[Rung], *, empty: bool
) -> None:
    """Ask the scope for the groups of every rung before anything trains.

    Raises UsageError when the scope cannot share out a rung's weights, or when a layer would be left
    with none and `empty` does not allow it.
    """
    inside = [layer for layer in layers if not layer.excluded]
    total = sum(layer.size for layer in inside)
    for rung in rungs:
        for group in scope(inside, rung.ideal, rung.kept):
            if group.kept < len(group.names) and not empty:
                which = f"layer '{group.names[0]}'" if len(group.names) == 1 else "a layer"
                raise UsageError(
                    f"{which} would lose every weight (layer collapse) where {rung.kept:,} of "
                    f"{total:,} weights are kept: stop at a lower sparsity, use another scope, or allow "
                    "it with --set recipe.allow_empty_layers=true"
                )
