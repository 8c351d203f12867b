"""The runs folder, looked up by content: which runs have trained a ticket, which made it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ticket.files import digest

# Configurations are matched as text: reading the YAML of hundreds of runs takes seconds.
_START = re.compile(r"^start: '?([0-9a-f]{64})'?$", re.MULTILINE)


@dataclass(frozen=True)
class Shelf:
    """Look up tickets by the SHA-256 of their files; runs that were set aside are not looked at."""

    runs_folder: Path

    @cached_property
    def trainings(self) -> dict[str, list[Path]]:
        """Return the folders of the runs that train a ticket, by that ticket."""
        found: dict[str, list[Path]] = {}
        for config in sorted(self.runs_folder.glob("*/config.yaml")):
            start = _START.search(config.read_text(encoding="utf-8", errors="replace"))
            if start is not None and ".old-" not in config.parent.name:
                found.setdefault(start[1], []).append(config.parent)
        return found

    @cached_property
    def tickets(self) -> dict[str, Path]:
        """Return the tickets that runs and transforms have made, by SHA-256."""
        paths = sorted(self.runs_folder.glob("*/ticket.safetensors"))
        return {digest(path): path for path in paths if ".old-" not in path.parent.name}
