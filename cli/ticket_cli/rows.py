"""The rows of a result: what each round, and each control beside it, has shown over all seeds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Figures = Mapping[str, Any]
HEADINGS = (
    *("round", "density %", "kept", "early stop", "valid.", "test"),
    *("test at end", "train at end", "time"),
)


@dataclass(frozen=True)
class Row:
    """Hold one line of the table: the figures of each seed, and its seconds where known."""

    label: str
    kept: int
    prunable: int
    trainings: Sequence[Figures]
    seconds: Sequence[float]

    def cells(self) -> list[str]:
        """Return the texts under HEADINGS; accuracies in percent."""
        stops = [t["early_stop"] for t in self.trainings]
        ends = [t["end"] for t in self.trainings]
        return [
            self.label,
            f"{100 * self.kept / self.prunable:.2f}",
            f"{self.kept:,}",
            over_seeds([s["iteration"] for s in stops], "{:,.0f}"),
            percent(s["validation_accuracy"] for s in stops),
            percent(s["test_accuracy"] for s in stops),
            percent(e["test_accuracy"] for e in ends),
            percent(e["train_accuracy"] for e in ends),
            f"{statistics.fmean(self.seconds):.1f} s" if self.seconds else "-",
        ]


def over_seeds(values: Sequence[float], form: str) -> str:
    """Return the mean, with the standard deviation when there are several values."""
    if not values:
        return "-"
    mean = form.format(statistics.fmean(values))
    return mean if len(values) == 1 else f"{mean} ±{form.format(statistics.stdev(values))}"


def percent(shares: Iterable[float]) -> str:
    """Return shares in [0, 1] as percent, mean and standard deviation."""
    return over_seeds([100 * share for share in shares], "{:.2f}")


def rounds(seeds: Sequence[Sequence[Figures]]) -> list[Row]:
    """Return one row a round; the last round's training is that of the ticket."""
    last = len(seeds[0]) - 1
    return [
        _row(str(number), [run[number] for run in seeds], -1 if number == last else 0)
        for number in range(last + 1)
    ]


def controls(seeds: Sequence[Sequence[Figures]]) -> dict[int, list[Row]]:
    """Return the rows of the controls by the round that they stand beside."""
    rows: dict[int, list[Row]] = {}
    for number, first in enumerate(seeds[0]):
        same = [run[number] for run in seeds]
        rows.setdefault(first["at_round"], []).append(_row(f"  {first['control']}", same, -1))
    return rows


def dense(seeds: Sequence[Figures], prunable: int) -> Row:
    """Return the row of the dense network where no round has trained it in full."""
    return Row("  dense", prunable, prunable, seeds, [])


def _row(label: str, seeds: Sequence[Figures], which: int) -> Row:
    trainings = [one["trainings"][which] for one in seeds if one["trainings"]]
    seconds = [sum(one["seconds"].values()) for one in seeds if "seconds" in one]
    # Where masks change in training, the accuracies beside it are those of the masks at its end.
    kept = next((t["masks"]["kept"] for t in trainings if "masks" in t), seeds[0]["kept"])
    return Row(label, kept, seeds[0]["prunable"], trainings, seconds)
