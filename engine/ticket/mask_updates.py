"""Masks that change inside a training: what a plugin is shown, and how its change is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ticket import masks as masking
from ticket.errors import TicketError, UsageError
from ticket.job import Job, Point
from ticket.masks import Held, prunable
from ticket.schedule import Clock
from ticket.scoring import Scores
from ticket.seeds import stream
from ticket.selection import Aim, narrowed
from ticket.uses import bind


@dataclass(frozen=True)
class Scene:
    """Show the network between the backward pass of a step and the optimizer's step.

    `weights`, `gradients` and `masks` (True = kept) of the layers that are pruned, by name. The
    gradients are dense, masked weights have one too; they are of this step's batch and of the loss
    alone. `clock` tells the step; updates come from step `start` to step `last`, and the training ends
    or pauses at `end`. `narrow(scores, kept)` gives masks that keep exactly so many weights, the highest
    under the recipe's scope; `target` is what the round's cut keeps. `memory` holds tensors that the
    update wants to find again at its next call; a checkpoint saves them.
    """

    weights: Mapping[str, Tensor]
    gradients: Mapping[str, Tensor]
    masks: Mapping[str, Tensor]
    clock: Clock
    start: int
    last: int
    end: int
    target: int
    narrow: Callable[[Scores, int], Mapping[str, Tensor]]
    generator: torch.Generator
    memory: dict[str, Tensor]


@dataclass(frozen=True)
class Change:
    """Hold new masks (layers left out stay as they are).

    Dropped weights and their moments become +0.0; new ones start at +0.0, as do their moments. With
    `step` False the optimizer's step of this iteration is left out.
    """

    masks: Mapping[str, Tensor]
    step: bool = True


class MaskUpdate(Protocol):
    """Change the masks of a network in training (group `ticket.mask_updates`); options are keyword-only.

    Called at every step of the training that is a multiple of `mask_every`, before the optimizer's
    step. May move weights about and, before the round's cut, remove some: never below what the cut
    keeps, and never more weights than before. None changes nothing.
    """

    def __call__(self, scene: Scene) -> Change | None: ...


def changed(
    masks: Mapping[str, Tensor], change: Change, aim: Aim, before: Mapping[str, int], plugin: str
) -> dict[str, Tensor]:
    """Return the masks after a change, checked; `before` counts what each layer kept.

    Raises TicketError, naming the plugin, for masks that fit no weight, more weights than before or
    fewer than the round's cut keeps.
    """
    owner = f"mask update '{plugin}'"
    if unknown := change.masks.keys() - before.keys():
        raise TicketError(f"{owner} changes '{min(unknown)}', which is no layer that is pruned")
    try:
        masking.check(masks, change.masks)
    except TicketError as problem:
        raise TicketError(f"{owner}: {problem}") from problem
    after = {**masks, **change.masks}
    had, now = sum(before.values()), sum(aim.kept(after).values())
    if not min(had, aim.rung.kept) <= now <= had:
        raise TicketError(
            f"{owner} keeps {now:,} weights; it may keep {aim.rung.kept:,} (what the cut keeps) to "
            f"{had:,} (what was kept before)"
        )
    return after


def due(job: Job, steps: int, stop: int, each: int) -> range:
    """Return the steps at which a training changes its masks; none without a mask update.

    Raises UsageError when there is none after the first.
    """
    training = job.training
    if training.mask_update is None:
        return range(0)
    every = max(1, training.mask_every.iterations(each, steps))
    at = range(-(-job.start // every) * every, stop, every)
    if not at or at[-1] == job.start:
        raise UsageError(
            f"{training.mask_update.name} changes the masks every {every} iterations, and the training "
            f"from {job.start} to {stop} ends before the second time; set mask_every to fewer"
        )
    return at


def change_masks(
    model: nn.Module,
    job: Job,
    point: Point,
    optimizer: Optimizer,
    at: range,
    clock: Clock,
    stop: int,
) -> tuple[Held, bool] | None:
    """Let the training's plugin change the masks at a step; return what holds them now, and whether
    the optimizer steps. None: nothing has changed.
    """
    use, aim = job.training.mask_update, job.aim
    if use is None or aim is None:
        return None
    weights = prunable(model)
    inside = aim.kept(point.masks)
    point.explored = point.explored or {name: point.masks[name].clone() for name in inside}

    def narrow(scores: Scores, kept: int) -> Mapping[str, Tensor]:
        return narrowed(scores, point.masks, aim, kept)

    plugin: MaskUpdate = bind(use)
    change = plugin(
        Scene(
            {name: weights[name].detach() for name in inside},
            {name: _gradient(weights[name]) for name in inside},
            {name: point.masks[name] for name in inside},
            clock,
            job.start,
            at[-1],
            stop,
            min(aim.rung.kept, sum(inside.values())),
            narrow,
            stream(job.seed, "mask updates", job.label, point.step),
            point.memory,
        )
    )
    if change is None:
        return None
    point.masks = changed(point.masks, change, aim, inside, use.name)
    point.updates += 1
    for name, seen in point.explored.items():
        seen |= point.masks[name]
    held = Held(model, point.masks, optimizer)
    held.after_step()
    return held, change.step


def _gradient(weight: Tensor) -> Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight.grad
