"""A penalty on weights that nothing has marked is refused before anything trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ticket.errors import UsageError
from ticket.finding import plan
from ticket.request import Request

Make = Callable[..., Request]
PRESSED = {"train": {"regularizers": ["growing_l2"]}}
KEPT = {"train": {"regularizers": [{"name": "l2", "on": "kept"}]}}
ALL = {"train": {"regularizers": [{"name": "growing_l2", "on": "all"}, "l2"]}}


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"round": [PRESSED, "mark", "cut"]}, "'lth', round 1: a penalty on the doomed needs a"),
        ({"round": ["train", "mark", "cut", KEPT]}, "'lth', round 4: a penalty on the kept"),
        ({"round": ["train", "mark", "cut"], "final": [PRESSED]}, "'lth', final 1: a penalty"),
        ({"first": [KEPT, "mark", "cut"]}, "'lth', first 1: a penalty on the kept needs a"),
    ],
)
def test_a_penalty_without_a_mark_is_refused(
    request_for: Make, recipe: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        plan(request_for(recipe={"rounds": 1, **recipe}))


def test_the_tasks_own_penalty_counts_too(request_for: Make) -> None:
    with pytest.raises(UsageError, match=r"2 mistakes:\n.*round 1: .*\n.*final 1: "):
        plan(request_for(recipe={"rounds": 1}, sets=(("training.regularizers", ["growing_l2"]),)))


@pytest.mark.parametrize("phases", [["mark", PRESSED, KEPT, "cut"], [ALL, "mark", "cut"]])
def test_what_has_a_mark_or_needs_none_is_taken(request_for: Make, phases: list[Any]) -> None:
    assert plan(request_for(recipe={"rounds": 1, "round": phases})).state == "new"
