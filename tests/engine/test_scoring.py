"""Selection keeps exactly the highest scores, group by group, and never empties a layer unasked."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ticket.errors import TicketError, UsageError
from ticket.ladder import Group
from ticket.scoring import Scores, select

A = torch.tensor([[0.5, -3.0], [2.0, -0.1]])
B = torch.tensor([1.0, -1.0, 0.2])


def dense() -> dict[str, Tensor]:
    return {"a": torch.ones(2, 2, dtype=torch.bool), "b": torch.ones(3, dtype=torch.bool)}


def flags(masks: dict[str, Tensor]) -> dict[str, list[int]]:
    return {name: mask.flatten().int().tolist() for name, mask in masks.items()}


def test_all_layers_compete_for_the_places_of_one_group() -> None:
    masks = select(Scores({"a": A, "b": B}, absolute=True), dense(), [Group(("a", "b"), 3)])
    assert flags(masks) == {"a": [0, 1, 1, 0], "b": [0, 1, 0]}  # 1.0 and -1.0 tie: the first goes


def test_groups_choose_apart() -> None:
    groups = [Group(("a",), 1), Group(("b",), 2)]
    masks = select(Scores({"a": A, "b": B}, absolute=True), dense(), groups)
    assert flags(masks) == {"a": [0, 1, 0, 0], "b": [1, 1, 0]}


def test_signed_scores_count_as_they_are() -> None:
    masks = select(Scores({"a": A, "b": B}), dense(), [Group(("a", "b"), 3)])
    assert flags(masks) == {"a": [1, 0, 1, 0], "b": [1, 0, 0]}


def test_what_is_gone_stays_gone_and_the_given_masks_are_left_alone() -> None:
    masks = dense()
    masks["a"][0, 1] = False  # the highest score of all
    after = select(Scores({"a": A, "b": B}, absolute=True), masks, [Group(("a", "b"), 2)])
    assert flags(after) == {"a": [0, 0, 1, 0], "b": [0, 1, 0]}
    assert flags(masks) == {"a": [1, 0, 1, 1], "b": [1, 1, 1]}


def test_a_layer_outside_all_groups_stays_as_it_is() -> None:
    masks = select(Scores({"a": A}, absolute=True), dense(), [Group(("a",), 2)])
    assert flags(masks) == {"a": [0, 1, 1, 0], "b": [1, 1, 1]}


def test_a_layer_that_would_lose_every_weight_is_named() -> None:
    with pytest.raises(UsageError, match=r"layer 'b' would lose every weight .*allow_empty_layers"):
        select(Scores({"a": A * 9, "b": B}, absolute=True), dense(), [Group(("a", "b"), 1)])


def test_a_layer_may_lose_every_weight_when_that_is_asked_for() -> None:
    scores = Scores({"a": A * 9, "b": B}, absolute=True)
    masks = select(scores, dense(), [Group(("a", "b"), 1)], allow_empty_layers=True)
    assert flags(masks) == {"a": [0, 1, 0, 0], "b": [0, 0, 0]}


def test_a_score_that_is_no_number_is_refused_by_name() -> None:
    with pytest.raises(TicketError, match="'b' contain NaN"):
        select(
            Scores({"a": A, "b": B / torch.tensor([0.0, 1.0, 1.0]) * 0}),
            dense(),
            [Group(("a", "b"), 2)],
        )
