"""Curves over density: what a plot of a comparison draws."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from ticket.comparing.rows import Row

Points = list[tuple[float, float, float]]


def curves(rows: Sequence[Row]) -> dict[str, Points]:
    """Return (density, mean, deviation) in percent by name, dense first; untrained rows are left out."""
    found: dict[str, Points] = {}
    for row in rows:
        ends = [100 * value for value in row.measured("end", "test_accuracy")]
        if ends:
            parts = (row.subject.what, row.subject.control, row.subject.model)
            spread = statistics.stdev(ends) if len(ends) > 1 else 0.0
            point = (100 * row.density, statistics.fmean(ends), spread)
            found.setdefault(", ".join(filter(None, parts)), []).append(point)
    return {name: sorted(points, reverse=True) for name, points in found.items()}
