"""The time left follows from the speed of the phase and the length of a round."""

from __future__ import annotations

import pytest

from ticket.watch import Progress
from ticket_cli.pace import Pace, clock
from ticket_cli.rows import over_seeds


def _at(round_: int, step: int, phase: str = "0-train") -> Progress:
    return Progress("evaluated", 0, round_, 3, phase, step=step, steps=100)


def test_nothing_is_known_before_the_second_evaluation() -> None:
    assert Pace().left(_at(0, 10), 5.0) is None


def test_in_the_first_round_each_further_one_counts_as_long_as_this() -> None:
    pace = Pace()
    pace.left(_at(0, 0), 0.0)

    assert pace.left(_at(0, 50), 10.0) == 10 + 3 * 20


def test_later_rounds_count_as_long_as_the_last_whole_one() -> None:
    pace = Pace()
    pace.left(_at(1, 0), 0.0)
    pace.left(_at(2, 0), 30.0)

    assert pace.left(_at(2, 50), 35.0) == 5 + 30


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (60, "1:00"), (3723, "1:02:03")]
)
def test_a_duration_reads_like_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_one_seed_has_no_spread_and_several_have_their_standard_deviation() -> None:
    assert over_seeds([2.0], "{:.1f}") == "2.0"
    assert over_seeds([1.0, 3.0], "{:.1f}") == "2.0 ±1.4"
    assert over_seeds([], "{:.1f}") == "-"
