"""How many weights are kept: exactly as many as the recipe says, and as was written down."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from ticket.ladder import Layer, Rung, groups, half_up
from ticket.recipe import Recipe
from ticket.uses import bind
from ticket.verifying.results import Result, judged
from ticket.verifying.stored import Stored


def recorded_counts(stored: Stored, figures: Mapping[str, Any] | None, subject: str) -> Result:
    """Check the counts that a file and the run's figures of its round record against the masks."""
    kept = stored.kept()
    masked = {name: kept[name] for name in stored.masks}
    total, prunable = sum(kept.values()), sum(stored.state[n].numel() for n in stored.prunable)
    wrong = _differing(stored.record.get("kept") or {}, masked, "its record says")
    if figures is not None:
        wrong += _differing(figures["layers"], masked, "the figures say")
        for word, mine in (("kept", total), ("prunable", prunable)):
            if figures[word] != mine:
                wrong.append(f"the figures say {word} {figures[word]:,}, there are {mine:,}")
    return judged("counts", subject, wrong)


def rung_counts(
    recipe: Recipe,
    layers: list[Layer],
    rung: Rung,
    before: Mapping[str, int],
    stored: Stored,
    subject: str,
) -> Result:
    """Check the counts of a round against the recipe's rung: of every group of layers, and in all.

    `before` is what each layer kept before the cut.
    """
    kept = stored.kept()
    wrong = []
    for group in groups(bind(recipe.scope), layers, rung, before):
        found = sum(kept[name] for name in group.names)
        if found != group.kept:
            names = ", ".join(map(repr, group.names[:3])) + (
                ", ..." if len(group.names) > 3 else ""
            )
            wrong.append(f"{names}: {found:,} kept, the recipe says {group.kept:,}")
    for layer in layers:
        if layer.excluded and kept[layer.name] != layer.size:
            wrong.append(
                f"{layer.name!r} is excluded and keeps {kept[layer.name]:,} of {layer.size:,}"
            )
    return judged("counts", subject, wrong)


def target_count(recipe: Recipe, stored: Stored, subject: str) -> Result:
    """Check that a ticket has the sparsity that its recipe asks for, to the weight."""
    total = sum(stored.state[name].numel() for name in stored.prunable)
    wanted = half_up(total * (1 - Fraction(repr(recipe.sparsity))))
    kept = sum(stored.kept().values())
    wrong = [f"{kept:,} kept of {total:,}; sparsity {recipe.sparsity:g} leaves {wanted:,}"]
    return judged("counts", subject, wrong if kept != wanted else [])


def _differing(said: Mapping[str, int], found: Mapping[str, int], who: str) -> list[str]:
    return [
        f"{name!r} keeps {found.get(name, 'all')}, {who} {said.get(name, 'all')}"
        for name in {**said, **found}
        if said.get(name) != found.get(name)
    ]
