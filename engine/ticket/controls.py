"""Controls beside a run: the same training from another start, each in a folder of its own.

A control does not change the ticket, so it is no part of the run's name; one that is asked for later is
added to a finished run.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn

from ticket.dense import dense_state
from ticket.errors import TicketError
from ticket.files import digest
from ticket.folder import Folder, read_json
from ticket.loop import execute
from ticket.network import load_state
from ticket.phases import Train
from ticket.recipe import Recipe
from ticket.run import Run
from ticket.seeds import stream
from ticket.teachers import load_teacher
from ticket.tickets import load
from ticket.transforming import Given
from ticket.transforming.surveying import surveyor
from ticket.uses import bind, read_use
from ticket.watch import Progress


def run_controls(run: Run, names: list[str], rounds: list[int]) -> list[dict[str, Any]]:
    """Train every control at every round (of a finished run) and return its figures.

    Raises TicketError when the ticket of a round was not kept.
    """
    return [run_control(run, name, number) for name in names for number in rounds]


def run_control(run: Run, name: str, number: int) -> dict[str, Any]:
    """Train one control of one round, or read what it showed."""
    folder = Folder(run.folder.control(name, number))
    if not folder.finished:
        path = run.folder.round_ticket(number)
        if not path.exists():
            raise TicketError(
                f"{path} was not kept, so round {number} can have no control; use --keep tickets"
            )
        seed, task = run.config.seed, run.task
        # A run that only trains a ticket has no dense round 0: its seed gives the initial weights.
        first = run.folder.round_ticket(0)

        def build_origin() -> nn.Module:
            network = task.network(seed, "init")
            if run.start is None:
                load_state(network, load(first).state)
            return network

        def build_dense() -> nn.Module:
            network = task.network(seed, "init")
            load_state(network, dense_state(run.folder))
            return network

        def build_fresh() -> nn.Module:
            return task.network(seed, "control", name, number)

        found = load(path)

        def build_own() -> nn.Module:
            network = task.network(seed, "init")
            found.apply(network)
            return network

        generator = stream(seed, "control", name, number, "masks")
        survey = surveyor(
            lambda: (task.splits(seed).train, run.config.training.batch_size), generator
        )
        given = Given(
            build_origin, build_fresh, build_dense, generator, own=build_own, survey=survey
        )
        ticket = bind(read_use("transforms", name))(found, given)
        config = replace(run.config, start=digest(path))

        def report(progress: Progress) -> None:
            run.report(replace(progress, control=f"{name} at round {number}"))

        changes = {"config": config, "folder": folder, "start": ticket, "report": report}
        if run.folder.teacher.exists():
            changes["teacher"] = load_teacher(run.folder.teacher)
        execute(replace(run, **changes, weights=None, keep="last"))
    figures = dict(read_json(folder.figures)["rounds"][-1])
    return {"control": name, "at_round": number, **figures}


def has_dense_baseline(recipe: Recipe) -> bool:
    """Tell whether round 0 trains the dense network as the task says, or just as the ticket is trained.

    A ticket that is fine-tuned, or taught, is measured against the network that it was cut from.
    """
    first = recipe.opening()[0]
    return first == Train() or (isinstance(first, Train) and recipe.final == (first,))
