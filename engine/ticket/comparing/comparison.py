"""A comparison from beginning to end: what was named is read, grouped over seeds, and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ticket.comparing.noise import Difference, differences
from ticket.comparing.reading import read
from ticket.comparing.rows import Entry, Row, grouped
from ticket.comparing.savings import Saving, savings
from ticket.comparing.shelf import Shelf
from ticket.folder import Folder
from ticket.locate import locate


@dataclass(frozen=True)
class Comparison:
    """Hold the rows, what transforms saved, and what is not in the rows.

    `differences`: between every two rows of one task; `untrained`: tickets that nobody trained;
    `unfinished`: trainings of theirs passed over;
    `repeats`: (run, the run of the same ticket and seed that counts in its place).
    """

    rows: tuple[Row, ...]
    savings: tuple[Saving, ...]
    differences: tuple[Difference, ...]
    untrained: tuple[Path, ...]
    unfinished: tuple[Path, ...]
    repeats: tuple[tuple[Path, Path], ...]


def compare(named: Sequence[str], runs_folder: Path) -> Comparison:
    """Compare runs and tickets, each a run's folder, a ticket's file, or a model's name.

    Raises UsageError for what is none of these, TicketError for a run that is not finished.
    """
    shelf = Shelf(runs_folder)
    places: dict[Path, Path] = {}
    for path in (_place(text, runs_folder) for text in named):
        places.setdefault(path.resolve(), path)
    entries: list[Entry] = []
    untrained: dict[Path, None] = {}
    unfinished: dict[Path, None] = {}
    for place in places.values():
        reading = read(place, shelf)
        entries += reading.entries
        untrained |= dict.fromkeys(reading.untrained)
        unfinished |= dict.fromkeys(reading.unfinished)
    rows, repeats = grouped(entries)
    return Comparison(
        tuple(rows),
        tuple(savings(rows)),
        tuple(differences(rows)),
        tuple(untrained),
        tuple(unfinished),
        tuple(repeats),
    )


def _place(text: str, runs_folder: Path) -> Path:
    """Return the run's folder that is meant, or the file of a ticket that is no run's result."""
    given = Path(text)
    path = given if _is_run(given) else locate(text, runs_folder)
    folder = Folder(path.parent)
    if _is_run(path.parent) and path in (folder.ticket, folder.trained):
        path = path.parent
    return path


def _is_run(path: Path) -> bool:
    return Folder(path).config.is_file()
