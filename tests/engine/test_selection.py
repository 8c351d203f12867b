"""A mark in many steps keeps exact counts at each, and scores anew what the step before left."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ticket.batches import Examples
from ticket.ladder import Layer, Rung
from ticket.phases import Mark
from ticket.scoring import Scores, Survey
from ticket.selection import Aim, marked, narrowed, paced
from ticket.uses import Use

SIZES = {"a": (6, 5), "b": (5, 4), "c": (4, 2)}
LAYERS = [Layer(n, s, s[0] * s[1], Fraction(1, 5)) for n, s in SIZES.items()]


def aim(kept: int, scope: str = "global") -> Aim:
    ideal = {layer.name: Fraction(layer.size * kept, 58) for layer in LAYERS}
    return Aim(LAYERS, Rung(1.0, kept, ideal), Use("scopes", scope), allow_empty_layers=True)


def dense() -> dict[str, Tensor]:
    return {name: torch.ones(shape, dtype=torch.bool) for name, shape in SIZES.items()}


def random_scores(seed: int) -> Scores:
    generator = torch.Generator().manual_seed(seed)
    return Scores({name: torch.rand(shape, generator=generator) for name, shape in SIZES.items()})


def test_the_exponential_pace_keeps_the_same_share_in_each_step() -> None:
    assert list(paced(1000, 10, Mark(steps=4))) == [316, 100, 32, 10]
    assert list(paced(266_200, 26_620, Mark(steps=1))) == [26_620]


def test_the_linear_pace_removes_as_many_in_each_step() -> None:
    assert list(paced(1000, 10, Mark(steps=4, pace="linear"))) == [753, 505, 258, 10]


@given(
    start=st.integers(1, 10**6),
    share=st.floats(0, 1),
    steps=st.integers(1, 120),
    pace=st.sampled_from(["exponential", "linear"]),
)
@settings(max_examples=100, deadline=None)
def test_a_pace_never_rises_and_ends_exactly(
    start: int, share: float, steps: int, pace: Literal["exponential", "linear"]
) -> None:
    end = max(1, int(start * share))
    counts = list(paced(start, end, Mark(steps=steps, pace=pace)))
    assert len(counts) == steps
    assert counts[-1] == end
    assert counts == sorted(counts, reverse=True)
    assert counts[0] <= start


@pytest.mark.parametrize("scope", ["global", "layer", "uniform", "erk"])
@given(ends=st.lists(st.integers(3, 58), min_size=1, max_size=4), seed=st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_narrowing_keeps_exactly_what_is_asked_for_in_any_scope(
    scope: str, ends: list[int], seed: int
) -> None:
    masks: dict[str, Tensor] = dense()
    ends = sorted(ends, reverse=True)
    for kept in ends:
        after = narrowed(random_scores(seed + kept), masks, aim(ends[-1], scope), kept)
        assert sum(int(m.count_nonzero()) for m in after.values()) == kept
        assert all(not (after[name] & ~masks[name]).any() for name in after)
        masks = after


def survey(masks: dict[str, Tensor], seen: list[dict[str, Tensor]]) -> Survey:
    seen.append(dict(masks))
    weights = {name: torch.ones(shape) for name, shape in SIZES.items()}
    nothing = torch.zeros(1)
    examples = Examples(nothing, nothing, nothing, nothing)
    return Survey(weights, masks, torch.Generator().manual_seed(3), nn.Identity, examples, 1)


def test_each_step_of_a_mark_sees_what_the_one_before_left() -> None:
    seen: list[dict[str, Tensor]] = []
    mark = Mark(Use("criteria", "random"), steps=3)
    after = marked(lambda masks: survey(dict(masks), seen), dense(), mark, aim(10))
    left = [sum(int(m.count_nonzero()) for m in masks.values()) for masks in (*seen, after)]
    assert left == [58, *paced(58, 10, mark)]
    for masks, later in zip(seen, [*seen[1:], dict(after)], strict=True):
        assert all(not (later[name] & ~masks[name]).any() for name in later)


def test_steps_change_nothing_where_scores_stay_the_same() -> None:
    """Magnitudes do not depend on the masks, so a hundred steps are one."""
    weights = random_scores(1).values

    def look(masks: object) -> Survey:
        nothing = torch.zeros(1)
        examples = Examples(nothing, nothing, nothing, nothing)
        return Survey(weights, dense(), torch.Generator(), nn.Identity, examples, 1)

    one, many = (marked(look, dense(), Mark(steps=n), aim(7)) for n in (1, 100))
    assert all(torch.equal(one[name], many[name]) for name in one)
