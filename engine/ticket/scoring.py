"""Scores: what a criterion gives, and the selection of exactly so many weights by them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from ticket import kernels
from ticket.batches import Examples
from ticket.errors import UsageError
from ticket.ladder import Group
from ticket.masks import apply_, prunable


@dataclass(frozen=True)
class Survey:
    """Give a criterion what it may look at.

    `weights`: the prunable weights by name; `masks`: True = kept, in a mark of several steps those that
    the step before left; `generator`: the stream of this round. `network()` makes a copy of the network
    with the masked weights at +0.0, which the criterion may do with as it likes; `train` holds the
    training examples, not augmented, and `batch_size` is the training's. `ticket.probing` draws batches
    and takes gradients.
    """

    weights: Mapping[str, Tensor]
    masks: Mapping[str, Tensor]
    generator: torch.Generator
    network: Callable[[], nn.Module]
    train: Examples
    batch_size: int


def survey_of(
    model: nn.Module,
    masks: Mapping[str, Tensor],
    train: Examples,
    batch_size: int,
    generator: torch.Generator,
) -> Survey:
    """Show a network, of which the masks keep a part, to a criterion."""

    def network() -> nn.Module:
        copied = copy.deepcopy(model)
        apply_(copied, masks)
        return copied

    weights = {name: weight.detach() for name, weight in prunable(model).items()}
    return Survey(weights, masks, generator, network, train, batch_size)


@dataclass(frozen=True)
class Scores:
    """Hold one score for every prunable weight; the lowest go, or with `absolute` those nearest 0."""

    values: Mapping[str, Tensor]
    absolute: bool = False


class Criterion(Protocol):
    """Score every prunable weight (group `ticket.criteria`); options are keyword-only."""

    def __call__(self, survey: Survey) -> Scores: ...


def select(
    scores: Scores,
    masks: Mapping[str, Tensor],
    groups: list[Group],
    *,
    allow_empty_layers: bool = False,
) -> dict[str, Tensor]:
    """Return new masks in which each group keeps exactly `kept` weights: the highest scores.

    Ties: the lower index goes first. Raises UsageError, naming it, when a layer would lose every
    weight and that is not allowed; TicketError when a score is NaN.
    """
    kept = {name: mask.clone() for name, mask in masks.items()}
    for group in groups:
        chosen = [kept[name] for name in group.names]
        count = sum(int(mask.count_nonzero()) for mask in chosen) - group.kept
        kernels.select_lowest(
            [scores.values[name] for name in group.names],
            chosen,
            count,
            absolute=scores.absolute,
            names=group.names,
        )
    # Counted, which takes a third of the time of any().
    empty = [name for name, mask in kept.items() if not mask.count_nonzero()]
    if empty and not allow_empty_layers:
        raise UsageError(
            f"layer '{empty[0]}' would lose every weight (layer collapse): stop at a lower sparsity, "
            "use another scope, or allow it with --set recipe.allow_empty_layers=true"
        )
    return kept
