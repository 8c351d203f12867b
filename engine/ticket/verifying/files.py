"""Every file of a run is whole: it can be read, and its checksums hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ticket import ticket_file
from ticket.errors import TicketError
from ticket.folder import Folder
from ticket.verifying.results import Result, judged
from ticket.verifying.stored import read_stored


def files(folder: Path) -> Iterator[Result]:
    """Read every file in a run's folder, its controls' too; a finished run has all of its own."""
    wrong = [
        f"{folder / name} is missing"
        for name in _expected(Folder(folder))
        if not (folder / name).is_file()
    ]
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


def _expected(folder: Folder) -> list[str]:
    """List the files that a finished run or transform has."""
    if not folder.finished:
        return []
    if not (folder.path / "machine.json").is_file() and not folder.trained.is_file():
        return [folder.ticket.name]  # of a transform
    closed = [
        f"{path.parent.name}/figures.json"
        for path in folder.path.glob("round-*/ticket.safetensors")
    ]
    return ["machine.json", folder.ticket.name, folder.trained.name, *sorted(closed)]
