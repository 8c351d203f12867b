"""Which differences between rows exceed the noise of their seeds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from ticket.comparing.rows import Row
from ticket.verdict import SEEDS


@dataclass(frozen=True)
class Difference:
    """Hold the difference of two rows' mean test accuracies at the end, in [-1, 1].

    `noise` is the larger of the two standard deviations over seeds, as in a verdict; None with fewer
    than three seeds on either side, and then nothing is decided.
    """

    one: Row
    other: Row
    gap: float
    noise: float | None

    @property
    def decided(self) -> bool | None:
        """Tell whether the difference exceeds the noise; None when there are too few seeds to tell."""
        return None if self.noise is None else abs(self.gap) > self.noise


def differences(rows: Sequence[Row]) -> list[Difference]:
    """Compare every two trained rows of one model and data set."""
    trained = [row for row in rows if row.measured("end", "test_accuracy")]
    return [_between(a, b) for a, b in combinations(trained, 2) if _task(a) == _task(b)]


def _task(row: Row) -> tuple[str, str]:
    return row.subject.model, row.subject.dataset


def _between(one: Row, other: Row) -> Difference:
    ends = [row.measured("end", "test_accuracy") for row in (one, other)]
    gap = statistics.fmean(ends[0]) - statistics.fmean(ends[1])
    enough = min(map(len, ends)) >= SEEDS
    return Difference(one, other, gap, max(map(statistics.stdev, ends)) if enough else None)
