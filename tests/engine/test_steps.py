"""A length of training is read as it is written, and counts the iterations it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticket.steps import UNITS, Steps


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("500it", Steps(500, "it")),
        ("10ep", Steps(10, "ep")),
        ("1.5 ep", Steps(1.5, "ep")),
        (" 20% ", Steps(20, "%")),
        ("0it", Steps(0, "it")),
    ],
)
def test_a_length_is_read(text: str, steps: Steps) -> None:
    assert Steps.parse(text) == steps


@pytest.mark.parametrize(
    "text", ["", "500", "it", "-5it", "5 epochs", "1e3it", "1.5it", "nanep", 500]
)
def test_what_is_no_length_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ValueError, match=r"wants (a length such as 500it|whole iterations)"):
        Steps.parse(text)


@pytest.mark.parametrize(
    ("text", "per_epoch", "whole", "iterations"),
    [
        ("500it", 7, 9, 500),
        ("2ep", 938, 0, 1876),
        ("0.5ep", 5, 0, 3),  # 2.5: half up
        ("20%", 1, 50_000, 10_000),
        ("50%", 1, 5, 3),
        ("0.1%", 1, 400, 0),
    ],
)
def test_a_length_counts_iterations(text: str, per_epoch: int, whole: int, iterations: int) -> None:
    assert Steps.parse(text).iterations(per_epoch, whole) == iterations


@given(st.integers(0, 10**9), st.sampled_from(UNITS))
def test_a_whole_length_survives_its_text(amount: int, unit: str) -> None:
    assert Steps.parse(str(Steps(float(amount), unit))) == Steps(float(amount), unit)


@given(st.floats(0, 1e9, allow_nan=False).map(lambda x: round(x, 9)), st.sampled_from(["ep", "%"]))
def test_a_broken_length_survives_its_text(amount: float, unit: str) -> None:
    assert Steps.parse(str(Steps(amount, unit))) == Steps(amount, unit)
