"""What a transform saved: its own cost beside that of finding a ticket for its target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ticket.comparing.rows import Row


@dataclass(frozen=True)
class Saving:
    """Set a transformed ticket beside one that was found for the same model and data set.

    Iterations of training and seconds are means, each for one ticket; `source_iterations` found the
    ticket that was transformed. None: not known.
    """

    model: str
    dataset: str
    transformed: str
    found: str
    densities: tuple[float, float]  # of the transformed, of the found one
    iterations: tuple[float, float]  # to make the one, to find the other
    seconds: tuple[float | None, float | None]
    source_iterations: float | None


def savings(rows: Sequence[Row]) -> list[Saving]:
    """Compare each transformed ticket with each method's ticket for the same task.

    Of a method's tickets the nearest density counts. One that was found without training is left out,
    there is nothing to save, and so is an ancestor: its search is what the transform needs.
    """
    tickets = [row for row in rows if row.subject.control is None]
    told = []
    for mine in (row for row in tickets if row.subject.kind == "transformed"):
        nearest: dict[str, Row] = {}
        for other in (row for row in tickets if row.subject.kind == "found" and _same(row, mine)):
            known = nearest.get(other.subject.what)
            nearer = known is None or _apart(other, mine) < _apart(known, mine)
            if nearer and other.mean("iterations") and not _descends(mine, other):
                nearest[other.subject.what] = other
        told += [_saving(mine, other) for other in nearest.values()]
    return told


def _saving(mine: Row, other: Row) -> Saving:
    return Saving(
        mine.subject.model,
        mine.subject.dataset,
        mine.subject.what,
        other.subject.what,
        (mine.density, other.density),
        (mine.mean("iterations") or 0.0, other.mean("iterations") or 0.0),
        (mine.mean("seconds"), other.mean("seconds")),
        mine.mean("source_iterations"),
    )


def _same(one: Row, other: Row) -> bool:
    subjects = one.subject, other.subject
    return len({(s.model, s.dataset) for s in subjects}) == 1


def _descends(mine: Row, other: Row) -> bool:
    ancestors = {ancestor["ticket"] for value in mine.values for ancestor in value.lineage}
    return any(value.ticket in ancestors for value in other.values)


def _apart(one: Row, other: Row) -> float:
    return abs(one.density - other.density)
