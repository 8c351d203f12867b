"""The rows of a comparison: runs that differ by their seed alone are one row."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ticket.comparing.costs import UNKNOWN, Cost
from ticket.verdict import Verdict, judge

Kind = Literal["dense", "found", "transformed"]
Lineage = tuple[Mapping[str, Any], ...]  # the ancestors, oldest first
KINDS: tuple[Kind, ...] = ("dense", "found", "transformed")


@dataclass(frozen=True)
class Subject:
    """Say what a row is about; `what` names the ticket, `control` what was trained in its place.

    `settings`: every field that two runs of one row agree on, as text, by its path. `task`: those of
    them that a dense baseline shares.
    """

    kind: Kind
    what: str
    model: str
    dataset: str
    settings: tuple[tuple[str, str], ...]
    task: tuple[tuple[str, str], ...]
    control: str | None = None


@dataclass(frozen=True)
class Value:
    """Hold what one seed has shown; `training` is None until there is one.

    `ticket`: SHA-256 of the ticket's file; `lineage`: its ancestors, of a transformed one.
    `search` is what finding the ticket took, `own` what its training took.
    """

    seed: int
    ticket: str
    path: Path
    kept: int
    prunable: int
    training: Mapping[str, Any] | None = None
    lineage: Lineage = ()
    search: Cost = UNKNOWN
    own: Cost = UNKNOWN

    @property
    def iterations(self) -> float | None:
        """Return the training iterations that finding the ticket took."""
        return self.search.iterations

    @property
    def seconds(self) -> float | None:
        """Return the seconds that finding the ticket took."""
        return self.search.seconds

    @property
    def source_iterations(self) -> int | None:
        """Return the training iterations that its ancestors' search took."""
        return sum(int(a["iterations"]) for a in self.lineage) if self.lineage else None

    @property
    def density(self) -> float:
        """Return kept / prunable."""
        return self.kept / self.prunable


@dataclass(frozen=True)
class Row:
    """Hold a subject and its values, one a seed.

    `differs`: the settings that tell it from rows of the same name; a verdict, where there is a
    baseline to judge by.
    """

    subject: Subject
    values: tuple[Value, ...]
    differs: tuple[tuple[str, str], ...] = ()
    verdict: Verdict | None = None

    @property
    def density(self) -> float:
        """Return the mean density over seeds."""
        return statistics.fmean(value.density for value in self.values)

    def measured(self, when: str, figure: str) -> list[float]:
        """List a figure (`test_accuracy`, `iteration`) at `early_stop` or `end`, one a trained seed."""
        trained = [v.training for v in self.values if v.training is not None]
        return [float(training[when][figure]) for training in trained]

    def mean(self, cost: Literal["iterations", "seconds", "source_iterations"]) -> float | None:
        """Return what finding the ticket took, on average, or None where no seed tells it."""
        known = [float(n) for value in self.values if (n := getattr(value, cost)) is not None]
        return statistics.fmean(known) if known else None

    def cost(
        self, field: Literal["iterations", "epochs", "multiply_adds", "seconds"]
    ) -> float | None:
        """Return what a trained ticket takes in all, on average, or None where no seed tells it.

        Of the dense network and of controls that is their training alone: they are no way to a ticket.
        """
        apart = self.subject.kind == "dense" or self.subject.control is not None
        spent = [value.own if apart else value.search.plus(value.own) for value in self.values]
        known = [float(n) for cost in spent if (n := getattr(cost, field)) is not None]
        return statistics.fmean(known) if known else None


Entry = tuple[Subject, Value]


def grouped(entries: Sequence[Entry]) -> tuple[list[Row], list[tuple[Path, Path]]]:
    """Return the rows in the order of reading, and pairs of runs that repeat one another.

    Of two runs of one ticket with one seed the first counts: its seed would weigh twice otherwise.
    """
    rows: dict[Subject, dict[tuple[str, int], Value]] = {}
    repeats: dict[tuple[Path, Path], None] = {}
    for subject, value in entries:
        # The dense network of a seed is the same one, whichever run has trained it.
        ticket = "" if subject.kind == "dense" else value.ticket
        first = rows.setdefault(subject, {}).setdefault((ticket, value.seed), value)
        other = first.path.resolve() != value.path.resolve()
        if other and subject.kind != "dense" and subject.control is None:
            repeats[value.path, first.path] = None
    found = [Row(subject, tuple(values.values())) for subject, values in rows.items()]
    return [_told_apart(row, found) for row in _ordered(_judged(found))], list(repeats)


def _ordered(rows: Sequence[Row]) -> list[Row]:
    """Sort by task, then dense, found, transformed, each ticket before its controls."""
    tasks = list(dict.fromkeys((r.subject.model, r.subject.dataset) for r in rows))
    tickets = list(dict.fromkeys(replace(r.subject, control=None) for r in rows))

    def place(row: Row) -> tuple[int, int, int, bool]:
        subject = row.subject
        return (
            tasks.index((subject.model, subject.dataset)),
            KINDS.index(subject.kind),
            tickets.index(replace(subject, control=None)),
            subject.control is not None,
        )

    return sorted(rows, key=place)


def _judged(rows: Sequence[Row]) -> list[Row]:
    """Give each trained ticket its verdict, where the dense network was trained as it was."""
    ends = {row.subject: row.measured("end", "test_accuracy") for row in rows}
    dense = {_task(s): values for s, values in ends.items() if s.kind == "dense"}
    judged = []
    for row in rows:
        subject = row.subject
        baseline = dense.get(_task(subject), [])
        if subject.kind != "dense" and subject.control is None and ends[subject] and baseline:
            reinit = ends.get(replace(subject, control="reinit"), [])
            row = replace(row, verdict=judge(baseline, ends[subject], reinit))
        judged.append(row)
    return judged


def _task(subject: Subject) -> tuple[object, ...]:
    return subject.model, subject.dataset, subject.task


def _told_apart(row: Row, rows: Sequence[Row]) -> Row:
    """Note the settings in which a row differs from others of its name; densities show themselves."""
    alike = [dict(r.subject.settings) for r in rows if _name(r.subject) == _name(row.subject)]
    mine = dict(row.subject.settings)
    names = {name: None for settings in alike for name in settings if name != "kept"}
    odd = [n for n in names if any(settings.get(n) != mine.get(n) for settings in alike)]
    return replace(row, differs=tuple((n, mine.get(n, "default")) for n in odd))


def _name(subject: Subject) -> tuple[object, ...]:
    return subject.kind, subject.what, subject.model, subject.dataset, subject.control
