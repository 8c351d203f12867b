"""What there is to check of a run: its folder, its configuration, what it recorded, what it kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ticket.comparing.recipes import phases_of
from ticket.config import Config, from_yaml, read_config
from ticket.errors import TicketError
from ticket.folder import Folder, read_json
from ticket.phases import Phase, read_phase
from ticket.verifying.stored import Stored, read_stored

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Evidence:
    """Hold the folder of a run and what its text files say.

    `rounds` are the rounds whose ticket was kept; `toward` tells that its rounds lead to given masks.
    """

    folder: Folder
    config: Config
    rounds: tuple[int, ...]
    toward: bool = False

    @property
    def finished(self) -> bool:
        """Tell whether the run has reached its end."""
        return self.folder.finished

    @cached_property
    def figures(self) -> list[Figures]:
        """Return the figures of the rounds: of the whole run, or of those that an unfinished one closed."""
        if self.finished:
            return list(read_json(self.folder.figures)["rounds"])
        closed = (self.folder.round(n) / "figures.json" for n in self.rounds)
        return [read_json(path) for path in closed if path.is_file()]

    @cached_property
    def last(self) -> int:
        """Return the number of the last round that was opened."""
        return max(self.rounds, default=-1)

    @cached_property
    def metrics(self) -> list[Figures]:
        """Return the measurements in the order in which they were made."""
        if not self.folder.metrics.is_file():
            return []
        lines = self.folder.metrics.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def phases(self, number: int) -> tuple[Phase, ...]:
        """Return what a round is made of; the last one of a finished run trains the ticket."""
        last = self.last if self.finished else -1
        read = (
            read_phase(told, "a phase")[0] for told in phases_of(self.config.plain(), number, last)
        )
        return tuple(phase for phase in read if phase is not None)

    def round(self, number: int) -> Stored:
        """Read the ticket of a round. Raises TicketError."""
        return read_stored(self.folder.round_ticket(number))

    def trained(self, number: int, phase: int) -> Path:
        """Return where the weights are after a training of a round, if they were kept."""
        kept = self.folder.round(number) / f"trained-{phase}.safetensors"
        last = phase == len(self.phases(number)) - 1
        return self.folder.trained if self.finished and number == self.last and last else kept


def gather(path: Path) -> Evidence:
    """Collect the evidence in a run's folder.

    Raises TicketError for a configuration that cannot be read, or whose plugins are not installed.
    """
    folder = Folder(path)
    try:
        text = folder.config.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise TicketError(f"cannot read {folder.config}: {problem}") from problem
    document = from_yaml(text, str(folder.config))
    config = read_config(document)
    tickets = sorted(path.glob("round-*/ticket.safetensors"))
    numbers = tuple(int(p.parent.name.removeprefix("round-")) for p in tickets)
    return Evidence(folder, config, numbers, document.get("toward") is not None)
