"""A schedule gives a finite factor of 0 to 1 at every step, and looks at nothing but the clock."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticket.registry import installed
from ticket.schedule import Clock
from ticket.uses import bind, read_use

SCHEDULES = [plugin.name for plugin in installed("schedules")]


@pytest.mark.parametrize("name", SCHEDULES)
@settings(max_examples=50, deadline=None)
@given(steps=st.integers(1, 1000), share=st.floats(0, 1), per_epoch=st.integers(1, 100))
def test_every_schedule_gives_a_factor(name: str, steps: int, share: float, per_epoch: int) -> None:
    schedule = bind(read_use("schedules", name))
    clock = Clock(int(share * steps), steps, per_epoch)
    assert 0 <= schedule(clock) <= 1
    assert schedule(clock) == schedule(clock)


@pytest.mark.parametrize("name", SCHEDULES)
def test_no_schedule_rises(name: str) -> None:
    schedule = bind(read_use("schedules", name))
    factors = [schedule(Clock(step, 97, 10)) for step in range(97)]
    assert factors == sorted(factors, reverse=True)


def test_milestones_in_epochs_follow_the_epochs() -> None:
    schedule = bind(
        read_use("schedules", {"name": "multistep", "milestones": "2ep, 4ep", "gamma": 0.5})
    )
    assert [schedule(Clock(s, 60, 10)) for s in (19, 20, 39, 40)] == [1, 0.5, 0.5, 0.25]


@pytest.mark.parametrize(
    "written",
    [
        {"name": "multistep", "gamma": 0},
        {"name": "multistep", "milestones": "soon"},
        {"name": "cosine", "floor": 2},
    ],
)
def test_impossible_options_are_refused(written: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="wants"):
        read_use("schedules", written)
