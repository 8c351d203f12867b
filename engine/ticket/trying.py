"""Parts of a run tried on a stand-in before anything trains: what cannot work is refused in time."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ticket.bases import CANONICAL
from ticket.config import Config
from ticket.cutting import mark_of
from ticket.errors import TicketError, UsageError
from ticket.ladder import half_up, ladder
from ticket.masks import dense_masks, prunable
from ticket.scoring import Criterion, survey_of
from ticket.seeds import stream
from ticket.task import Task, layers
from ticket.tickets import Ticket, create
from ticket.transforming import Given
from ticket.transforming.surveying import surveyor
from ticket.uses import bind, plain, read_use


def try_controls(
    config: Config, task: Task, names: Iterable[str], ticket: Ticket | None = None
) -> None:
    """Make every control of `ticket`; None: of one with as many weights as the run will leave.

    Nothing is written. Raises UsageError that names the control which cannot be made.
    """
    seed = config.seed

    def network() -> nn.Module:
        return task.network(seed, "init")

    for name in names:
        tried = ticket or _stand_in(config, task)
        generator = stream(seed, "try", name)
        survey = surveyor(lambda: (task.splits(seed).train, config.training.batch_size), generator)
        given = Given(network, network, network, generator, own=network, survey=survey)
        try:
            bind(read_use("transforms", name))(tried, given)
        except TicketError as problem:
            raise UsageError(f"control '{name}' cannot be made of this ticket: {problem}") from None


def try_criteria(config: Config, task: Task) -> None:
    """Score the initial network by every criterion of the recipe, where it is in a basis of its own.

    Only a criterion knows whether coefficients mean to it what weights do. Raises UsageError.
    """
    if config.recipe.basis == CANONICAL:
        return
    network = task.network(config.seed, "init")
    masks = dense_masks(network)
    splits, size = task.splits(config.seed), config.training.batch_size
    for number, phase in enumerate(config.recipe.all_phases()):
        mark = mark_of(phase)
        if mark is not None:
            generator = stream(config.seed, "try", number)
            score: Criterion = bind(mark.criterion)
            score(survey_of(network, masks, splits.train, size, generator))


def _stand_in(config: Config, task: Task) -> Ticket:
    """Return a ticket of the network's initial weights that keeps the first ones of every layer."""
    network = task.network(config.seed, "init")
    rungs = ladder(config.recipe, layers(network, config.recipe))
    ideal = rungs[-1].ideal if rungs else {}
    masks: dict[str, Tensor] = {}
    for name, weight in prunable(network).items():
        kept = max(1, half_up(ideal[name])) if name in ideal else weight.numel()
        masks[name] = (torch.arange(weight.numel()) < kept).reshape(weight.shape)
    data = task.data
    record = {
        "model": {"name": config.model.name, "options": plain(config.model.options)},
        "dataset": config.plain()["dataset"],
        "input": {"shape": list(data.train_images.shape[1:]), "classes": len(data.classes)},
        "training": config.plain()["training"],
        "recipe": config.plain()["recipe"],
        "seeds": {"seed": config.seed},
        "start": 0,
        "rounds": [],
    }
    return create(network, masks, record=record)
