"""Early-Bird: a training pauses when the mask that the mark would leave has stopped changing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ticket.errors import UsageError
from ticket.finding import find_one
from ticket.request import Request, prepare
from ticket.settling import settled

Make = Callable[..., Request]


def mask(bits: str) -> dict[str, Tensor]:
    values = torch.tensor([b == "1" for b in bits])
    return {"a": values[:4].view(2, 2), "b": values[4:]}


def test_masks_settle_when_the_newest_is_near_each_of_the_four_before() -> None:
    memory: dict[str, Tensor] = {}
    drawn = ["1111100000", "0111100001", "0111100001", "0111100001", "0111000011", "0111100001"]
    # Distances of the fifth from those before: 0.2, 0.2, 0.2 and 0.4; of the sixth 0.2, 0, 0, 0.
    assert [settled(mask(bits), memory, 0.2) for bits in drawn] == [False] * 5 + [True]


def test_a_single_bit_can_be_too_much() -> None:
    for distance, expected in ((0.1, True), (0.09, False)):
        memory: dict[str, Tensor] = {}
        for _ in range(4):
            assert not settled(mask("1111100000"), memory, distance)
        assert settled(mask("0111100000"), memory, distance) is expected


def early(make: Make, distance: float, **fields: Any) -> Request:
    training = {"length": "60it", "eval_every": "2it", "lr": 0.05}
    sets = (("recipe.round.0", {"train": {"mask_distance": distance}}),)
    return make(
        method="lth-oneshot",
        training=training,
        sets=sets,
        recipe={"rounds": 1, "sparsity": 0.5},
        **fields,
    )


def test_any_recipe_that_prunes_once_can_stop_early(request_for: Make) -> None:
    """A distance of 1 holds always: five masks are drawn, and the cut takes the network of then."""
    found = find_one(early(request_for, 1.0))
    assert found.rounds[0]["trainings"][0]["iterations"] == 10
    assert found.ticket.kept == 80
    # lth-oneshot rewinds to step 0, so the ticket is trained in full.
    assert found.final["iterations"] == 60


def test_the_training_pauses_as_soon_as_a_plain_loop_over_its_masks_says(request_for: Make) -> None:
    """The oracle reads the run's weights at each evaluation from runs that end there."""
    request = early(request_for, 0.02)
    stop = find_one(request).rounds[0]["trainings"][0]["iterations"]
    assert 10 < stop < 60

    def drawn(steps: int) -> Tensor:
        longer = request_for(
            method="lth-oneshot", training=dict(request.training), recipe={"rounds": 1, "sparsity": 0.5},
            sets=(("recipe.round.0", {"train": {"until": f"{steps}it"}}), ("recipe.round.3", "rewind")),
        )  # fmt: skip
        masks = find_one(longer).ticket.masks
        return torch.cat([m.flatten() for m in masks.values()])

    masks = {n: drawn(n) for n in range(stop - 12, stop + 1, 2)}

    def near(n: int) -> bool:
        return all(float((masks[n] ^ masks[n - k]).sum()) / 160 <= 0.02 for k in (2, 4, 6, 8))

    assert near(stop)
    assert not near(stop - 2)


def test_early_bird_trains_the_survivors_to_the_end_of_the_same_schedule(request_for: Make) -> None:
    training = {"length": "60it", "eval_every": "2it"}
    sets = (("recipe.round.0", {"train": {"mask_distance": 1.0}}),)
    recipe = {"rounds": 1, "sparsity": 0.5}
    found = find_one(request_for(method="early-bird", training=training, sets=sets, recipe=recipe))
    assert found.ticket.record["start"] == 10
    assert found.final["iterations"] == 50


def test_masks_that_never_settle_leave_a_full_training(request_for: Make) -> None:
    found = find_one(request_for(method="early-bird", recipe={"rounds": 1, "sparsity": 0.5}))
    assert found.rounds[0]["trainings"][0]["iterations"] == found.final["iterations"] == 20


@pytest.mark.parametrize(
    ("method", "sets", "said"),
    [
        ("early-bird", {"recipe.final.0.train.mask_distance": 0.1},
         "'early-bird', final 1, train: mask_distance looks at the masks of the mark that follows"),
        ("gmp", {"recipe.round.0.train.patience": 3},
         "'gmp', round 1, train: gmp follows a schedule that a patience would cut short"),
        ("rigl", {"recipe.round.2.train.restore_best": True},
         "restore_best would bring back weights that rigl has dropped"),
        ("gmp", {"recipe.round.0.train.mask_distance": 0.1},
         "mask_distance compares masks that a cut would leave, gmp changes them"),
        ("lth", {"recipe.final.0.train.until": "50%"},
         "final 1, train: it pauses .until: 50%. and nothing goes on with it"),
        ("rigl", {"recipe.rounds": 3}, "so a second round would have nothing left to train"),
        ("early-bird", {"recipe.round.0.train.mask_distance": 1.5}, r"wants a number in \[0, 1\]"),
        ("rigl", {"recipe.round.2.train.mask_update.dorp": 0.2}, "has no option 'dorp'; did you mean 'drop'"),
        ("rigl", {"recipe.round.2.train.mask_update": "rigel"}, "no mask update named 'rigel'"),
        ("synflow", {"recipe.round.0.mark.steps": 0}, "steps wants"),
        ("snip", {"recipe.round.0.mark.criterion": {"name": "snip", "batch_norm": "off"}},
         "batch_norm wants eval or train, got 'off'"),
        ("snip", {"recipe.exclude": ["conv9.weight"]}, "excludes 'conv9.weight', which names no prunable"),
    ],
)  # fmt: skip
def test_parts_that_do_not_go_together_are_refused_before_anything_runs(
    request_for: Make, method: str, sets: dict[str, Any], said: str
) -> None:
    request = request_for(
        method=method, recipe={"rounds": 1, "sparsity": 0.5}, sets=tuple(sets.items())
    )
    with pytest.raises(UsageError, match=said):
        prepare(request)


@pytest.mark.parametrize("scope", ["erk", "uniform"])
def test_a_density_that_a_scope_cannot_reach_is_refused_before_anything_runs(
    request_for: Make, scope: str
) -> None:
    sets = (("model", {"name": "mlp", "hidden": [400, 2]}), ("recipe.scope", scope))
    recipe = {"rounds": 1, "sparsity": 0.9998}
    with pytest.raises(
        UsageError, match=r"layer '.*' would lose every weight .* 1 of 7,208 weights"
    ):
        prepare(request_for(method="random-erk", sets=sets, recipe=recipe))
