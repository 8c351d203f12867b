"""Matching and winning: what a ticket may be called, given what its seeds have shown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

SEEDS = 3  # fewer decide nothing


@dataclass(frozen=True)
class Verdict:
    """Hold the word (`winning`, `matching`, `not matching`, `undecided`) and the reason."""

    word: str
    reason: str


def judge(dense: Sequence[float], ticket: Sequence[float], reinit: Sequence[float]) -> Verdict:
    """Judge test accuracies in [0, 1] at the end of training, one a seed.

    Matching: the ticket's mean is not below the dense mean by more than the dense runs' standard
    deviation. Winning: matching, and above its random re-initialisation by more than either spread.
    """
    if not dense:
        return Verdict("undecided", "there is no dense baseline; --controls dense trains one")
    if min(len(dense), len(ticket)) < SEEDS:
        missing = SEEDS - min(len(dense), len(ticket))
        return Verdict(
            "undecided",
            f"{len(ticket)} of {SEEDS} seeds: --replicates {SEEDS} decides ({missing} more to run)",
        )
    gap = statistics.fmean(ticket) - statistics.fmean(dense)
    spread = statistics.stdev(dense)
    told = f"ticket {_points(ticket)}, dense {_points(dense)} over {len(ticket)} seeds"
    if gap < -spread:
        return Verdict("not matching", f"{told}: {-100 * gap:.2f} points below")
    if len(reinit) < SEEDS:
        return Verdict("matching", f"{told}; --controls reinit decides whether it is winning")
    lead = statistics.fmean(ticket) - statistics.fmean(reinit)
    noise = max(statistics.stdev(ticket), statistics.stdev(reinit))
    told += f", re-initialised {_points(reinit)}"
    if lead > noise:
        return Verdict("winning", told)
    return Verdict("matching", f"{told}: not above its re-initialisation by more than the spread")


def _points(values: Sequence[float]) -> str:
    return f"{100 * statistics.fmean(values):.2f} ± {100 * statistics.stdev(values):.2f} %"
