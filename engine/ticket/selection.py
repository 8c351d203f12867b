"""From scores to masks: how many weights stay, in one step or in many, and where they compete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from ticket.ladder import Layer, Rung, between, groups
from ticket.phases import Mark
from ticket.scoring import Criterion, Scores, Survey, select
from ticket.toward import select_toward
from ticket.uses import Use, bind

Masks = Mapping[str, Tensor]


@dataclass(frozen=True)
class Aim:
    """Say how many weights are to stay (the rung), in which layers, and where they compete."""

    layers: Sequence[Layer]
    rung: Rung
    scope: Use
    allow_empty_layers: bool = False
    toward: Masks | None = None  # a mask that the rounds lead to: what it keeps stays

    def kept(self, masks: Masks) -> dict[str, int]:
        """Count the survivors of each layer that takes part."""
        inside = [layer.name for layer in self.layers if not layer.excluded]
        return {name: int(masks[name].count_nonzero()) for name in inside if name in masks}


def narrowed(scores: Scores, masks: Masks, aim: Aim, kept: int) -> dict[str, Tensor]:
    """Return new masks that keep exactly `kept` weights of the layers that take part: the highest.

    `kept` lies between what the masks keep and what the aim asks for. Raises UsageError when a layer
    would lose every weight, TicketError when a score is NaN.
    """
    have = aim.kept(masks)
    rung = aim.rung if kept == aim.rung.kept else between(aim.rung, have, kept)
    shared = groups(bind(aim.scope), aim.layers, rung, have)
    if aim.toward is not None:
        return dict(select_toward(scores, masks, shared, aim.toward))
    return select(scores, masks, shared, allow_empty_layers=aim.allow_empty_layers)


def marked(survey: Callable[[Masks], Survey], masks: Masks, mark: Mark, aim: Aim) -> Masks:
    """Return the masks that a mark leaves: each of its steps scores the survivors of the one before."""
    criterion: Criterion = bind(mark.criterion)
    for kept in paced(sum(aim.kept(masks).values()), aim.rung.kept, mark):
        masks = narrowed(criterion(survey(masks)), masks, aim, kept)
    return masks


def paced(start: int, end: int, mark: Mark) -> Iterator[int]:
    """Yield how many weights are kept after each step; the last is `end`, exactly."""
    for step in range(1, mark.steps):
        share = step / mark.steps
        ideal = (
            start * (end / start) ** share
            if mark.pace == "exponential"
            else start + (end - start) * share
        )
        yield max(end, min(start, int(ideal + 0.5)))
    yield end
