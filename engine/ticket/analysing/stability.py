"""Instability analysis: copies of one ticket, trained with different noise, and the lines between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import torch

from ticket import ticket_file
from ticket.analysing.connectivity import Line, line
from ticket.errors import TicketError, UsageError
from ticket.folder import Folder, read_json
from ticket.loop import execute
from ticket.masks import dense_masks
from ticket.request import Objects, Request, prepare
from ticket.run import Run
from ticket.ticket_training import Where, document_of
from ticket.tickets import Ticket, create, load
from ticket.watch import interruptible


@dataclass(frozen=True)
class Stability:
    """Hold the ticket's start, its density, the copies' accuracies, and a line between every two."""

    start: int
    density: float
    folders: tuple[Path, ...]
    accuracies: tuple[float, ...]
    lines: tuple[Line, ...]

    @property
    def barrier(self) -> float:
        """Return the mean barrier over the pairs."""
        return sum(line.barrier for line in self.lines) / len(self.lines)


def stability(
    ticket: Ticket,
    where: Where,
    *,
    orders: int = 2,
    points: int = 30,
    objects: Objects | None = None,
) -> Stability:
    """Train `orders` copies of a ticket from its start, each with another order, and join them by lines.

    Copies differ in order, augmentation and dropout alone: start state, masks and the training set are
    the ticket's (Frankle et al. 2020, algorithm 1). Each copy is a run below the folder of the ticket's
    own training, so a kill loses seconds. Raises TicketError.
    """
    if orders < 2:
        raise UsageError(f"a line wants 2 orders or more, got {orders}")
    request = Request(
        document=document_of(ticket),
        data_folder=where.data_folder,
        seed=ticket.seed,
        device=where.device,
        threads=where.threads,
        start=ticket.identity(),
    )
    prepared = prepare(request, objects)
    config, task = prepared.config, replace(prepared.task, split_seed=prepared.config.seed)
    home = where.runs_folder / config.run_name() / "stability"
    folders = [Folder(home / f"order-{number}") for number in range(1, orders + 1)]
    with interruptible() as stop:
        for number, folder in enumerate(folders, start=1):
            own = replace(config, seed=config.seed + number)
            run = Run(own, task, folder, where.report, stop, where.threads, "last", start=ticket)
            execute(run)
    lines = _lines(
        folders, prepared.task.network(config.seed, "init"), task.splits(0), points, where
    )
    ends = [read_json(f.figures)["rounds"][-1]["trainings"][-1]["end"] for f in folders]
    return Stability(
        int(ticket.record.get("start", 0)),
        ticket.density,
        tuple(folder.path for folder in folders),
        tuple(float(end["test_accuracy"]) for end in ends),
        lines,
    )


def _lines(
    folders: Sequence[Folder], model: torch.nn.Module, splits: Any, points: int, where: Where
) -> tuple[Line, ...]:
    before = torch.get_num_threads()
    torch.set_num_threads(where.threads)
    try:
        states = [load(folder.trained).state for folder in folders]
        return tuple(line(model, a, b, splits, points) for a, b in combinations(states, 2))
    finally:
        torch.set_num_threads(before)


def dense_at(folder: Folder, model: torch.nn.Module) -> Ticket:
    """Return the dense network of a run at the step that it rewinds to, as a ticket.

    Raises TicketError when the run's round 0 was not kept.
    """
    first = load(folder.round_ticket(0))
    record = {k: v for k, v in first.record.items() if k not in ("prunable", "aliases", "rounds")}
    if not folder.rewind.is_file():
        return replace(first, record={**first.record, "rounds": []})
    document, tensors = ticket_file.read(folder.rewind)
    state = {n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")}
    if state.keys() != first.state.keys():
        raise TicketError(f"{folder.rewind} is not of this run's network")
    start = {**record, "rounds": [], "start": int(document["step"])}
    return create(model, dense_masks(model), record=start, state=state)
