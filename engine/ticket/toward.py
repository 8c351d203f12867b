"""Runs that go toward a given mask: the rounds remove what the mask does not keep, and nothing else.

Each round's counts stay those of the ladder; the criterion only decides which go first. With the mask
that the same run would have found by itself, the same weights go in the same rounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from ticket.errors import UsageError
from ticket.ladder import Group, Layer, Rung, Scope, groups
from ticket.masks import kept
from ticket.recipe import Recipe
from ticket.scoring import Scores, select
from ticket.uses import Use, bind

Masks = Mapping[str, Tensor]


def select_toward(scores: Scores, masks: Masks, made: list[Group], goal: Masks) -> Masks:
    """Return new masks that keep each group's count, everything that `goal` keeps among it.

    Raises UsageError when a group's count is below what `goal` keeps of it.
    """
    candidates = {name: mask & ~goal[name] for name, mask in masks.items()}
    rest = [replace(group, kept=group.kept - _held(group, goal)) for group in made]
    if any(group.kept < 0 for group in rest):
        raise UsageError("the given mask keeps more of a layer than the recipe's scope leaves it")
    chosen = select(scores, candidates, rest, allow_empty_layers=True)
    return {name: chosen[name] | (masks[name] & goal[name]) for name in masks}


def scope_toward(
    recipe: Recipe, layers: Sequence[Layer], rungs: Sequence[Rung], goal: Masks
) -> Recipe:
    """Return the recipe with a scope that leads to the mask.

    The recipe's own where its last counts are the mask's, else `global`: which layer loses how much
    until the last round is then a matter of the scores.
    """
    sizes = {layer.name: layer.size for layer in layers}
    scope: Scope = bind(recipe.scope)
    try:
        last = groups(scope, layers, rungs[-1], sizes)
    except UsageError:
        last = []
    if last and all(group.kept == _held(group, goal) for group in last):
        return recipe
    return replace(recipe, scope=Use("scopes", "global"))


def _held(group: Group, goal: Masks) -> int:
    return kept({name: goal[name] for name in group.names})
