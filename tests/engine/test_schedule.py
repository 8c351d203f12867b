"""The learning rate at every step is the documented one: warm-up times schedule."""

from __future__ import annotations

import pytest

from ticket.schedule import rate_at
from ticket.steps import Steps
from ticket.training import Training, read_training


def training(**fields: object) -> Training:
    values, mistakes = read_training(fields, "training")
    assert mistakes == []
    return Training(**values)


def test_the_constant_rate_is_the_rate() -> None:
    rate = rate_at(training(lr=0.4), 100, 10)
    assert [rate(step) for step in (0, 50, 99)] == [0.4, 0.4, 0.4]


def test_the_warm_up_rises_linearly_and_ends_at_the_rate() -> None:
    rate = rate_at(training(lr=1, warmup="4it"), 100, 10)
    assert [rate(step) for step in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])


@pytest.mark.parametrize("warmup", ["20it", "2ep", "20%"])
def test_a_warm_up_may_be_told_in_any_unit(warmup: str) -> None:
    rate = rate_at(training(lr=1, warmup=warmup), 100, 10)
    assert rate(19) == pytest.approx(20 / 21)
    assert rate(20) == 1


def test_milestones_multiply_the_rate_from_their_step_on() -> None:
    schedule = {"name": "multistep", "milestones": ["8ep", "120it"], "gamma": 0.1}
    rate = rate_at(training(lr=1, schedule=schedule), 160, 10)
    assert [rate(s) for s in (79, 80, 119, 120, 159)] == pytest.approx([1, 0.1, 0.1, 0.01, 0.01])


def test_the_default_milestones_are_at_half_and_three_quarters() -> None:
    rate = rate_at(training(lr=1, schedule="multistep"), 200, 10)
    assert [rate(s) for s in (99, 100, 149, 150)] == pytest.approx([1, 0.1, 0.1, 0.01])


def test_the_cosine_goes_from_one_to_its_floor() -> None:
    rate = rate_at(training(lr=2, schedule={"name": "cosine", "floor": 0.1}), 100, 10)
    assert rate(0) == 2
    assert rate(50) == pytest.approx(2 * 0.55)
    assert rate(100) == pytest.approx(0.2)
    assert rate(25) == pytest.approx(2 * (0.1 + 0.9 * 0.5 * (1 + 0.5**0.5)))


def test_the_warm_up_multiplies_the_schedule() -> None:
    rate = rate_at(training(lr=1, warmup="1it", schedule="multistep"), 2, 1)
    assert [rate(0), rate(1)] == pytest.approx([0.5, 0.1])


def test_a_clock_converts_epochs_and_percent() -> None:
    from ticket.schedule import Clock

    clock = Clock(3, 200, 40)
    assert [clock.at(s) for s in (Steps(7, "it"), Steps(1.5, "ep"), Steps(25, "%"))] == [7, 60, 50]
