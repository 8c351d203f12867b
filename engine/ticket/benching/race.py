"""Timing that is fair on a machine that drifts: all take turns, again and again, in short bursts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

import numpy as np

Call = Callable[[], object]

BURST = 0.03  # seconds of one turn: long against the caches' warming, short against the drift
MOST_CALLS = 2000  # of one turn
LEAST_TURNS = 3


@dataclass(frozen=True)
class Timing:
    """Hold how long one call took, in seconds: median, 10th and 90th percentile of all calls."""

    calls: int
    median: float
    low: float
    high: float


def race(calls: Mapping[str, Call], seconds: float) -> dict[str, Timing]:
    """Time every call for about `seconds`, in turns; each was made once before, so that it is ready.

    The first call of a turn is not timed: it finds the caches as another left them.
    """
    turns = {name: _turn(call) for name, call in calls.items()}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    names, number = list(calls), 0
    end = perf_counter() + seconds * len(calls)
    while number < LEAST_TURNS or perf_counter() < end:
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            taken[name] += _timed(calls[name], turns[name])
        number += 1
    return {name: _timing(times) for name, times in taken.items()}


def _turn(call: Call) -> int:
    """Return how many calls make a turn."""
    quickest = max(min(_timed(call, 3)), 1e-7)
    return min(max(int(BURST / quickest), 1), MOST_CALLS)


def _timed(call: Call, count: int) -> list[float]:
    call()
    times = []
    for _ in range(count):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return times


def _timing(times: list[float]) -> Timing:
    low, median, high = (float(x) for x in np.percentile(times, (10, 50, 90)))
    return Timing(len(times), median, low, high)
