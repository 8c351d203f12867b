"""One run: what is to be done, where, and who looks on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ticket.config import Config
from ticket.folder import Folder
from ticket.task import Task
from ticket.tickets import Ticket
from ticket.watch import Report, Stop

KEEP = ("tickets", "all", "last")


@dataclass(frozen=True)
class Run:
    """Hold one run: what is to be done, where, and who looks on.

    `weights` is the state to start from instead of a fresh initialisation; `keep` says which files of
    the rounds stay: their `tickets` (and the trained dense network), `all` (the trained weights of every
    round too), or those of round 0 and of the `last` alone.
    """

    config: Config
    task: Task
    folder: Folder
    report: Report
    stop: Stop
    threads: int = 1
    keep: str = "tickets"
    weights: dict[str, torch.Tensor] | None = None
    start: Ticket | None = None  # the ticket to train: no rounds are run
    toward: Mapping[str, torch.Tensor] | None = None  # the masks that the rounds lead to
    teacher: dict[str, torch.Tensor] | None = None  # the state of one that is there from the start
