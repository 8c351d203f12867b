"""A race is fair: everybody takes turns, first place goes round, and every call counts but the first."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

import pytest

from ticket.benching import race as racing
from ticket.benching.race import race


def recorder(name: str, calls: list[str]) -> Callable[[], object]:
    return lambda: calls.append(name)


def test_all_take_turns_and_each_comes_first_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(racing, "MOST_CALLS", 2)
    monkeypatch.setattr(racing, "LEAST_TURNS", 3)
    calls: list[str] = []
    race({name: recorder(name, calls) for name in "abc"}, 1e-9)
    turns = [(name, len(list(run))) for name, run in groupby(calls[12:])]  # after finding the pace

    assert turns == [
        *[("a", 3), ("b", 3), ("c", 3)],
        *[("b", 3), ("c", 3), ("a", 3)],
        *[("c", 3), ("a", 3), ("b", 3)],
    ]


def test_percentiles_are_of_all_timed_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    lengths = iter([9.0, *[1.0] * 3, *[9.0, 5.0] * 3])  # the pace, then turns of one call

    def call() -> None:
        nonlocal now
        now += next(lengths)

    monkeypatch.setattr(racing, "perf_counter", lambda: now)
    timing = race({"one": call}, 0.5)["one"]

    assert (timing.calls, timing.low, timing.median, timing.high) == (3, 5.0, 5.0, 5.0)
