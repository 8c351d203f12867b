"""Every file of a run is whole: it can be read, and its checksums hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ticket import ticket_file
from ticket.errors import TicketError
from ticket.verifying.results import Result, judged
from ticket.verifying.stored import read_stored


def files(folder: Path) -> Iterator[Result]:
    """Read every file in a run's folder, its controls' too."""
    wrong = []
    for path in sorted(folder.rglob("*")):
        try:
            _read(path)
        except (TicketError, OSError, ValueError) as problem:
            wrong.append(str(problem) if str(path) in str(problem) else f"{path}: {problem}")
    yield judged("files", "", wrong)


def _read(path: Path) -> None:
    if path.suffix == ".safetensors":
        # A checkpoint is the same container with other tensors.
        ticket = "prunable" in ticket_file.read_record(path)
        _ = read_stored(path) if ticket else ticket_file.read(path)
    elif path.suffix in (".json", ".jsonl"):
        text = path.read_text(encoding="utf-8")
        for part in text.splitlines() if path.suffix == ".jsonl" else [text]:
            json.loads(part)
