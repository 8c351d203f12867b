"""DLTH and GReg press weights down exactly as their formulas, written out in numpy, say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ticket.batches import per_epoch, split
from ticket.dataset import DataSet
from ticket.finding import find_one
from ticket.job import Hooks, Job, Point
from ticket.masks import prunable
from ticket.phases import Train
from ticket.recipe import read_recipe, recipe_document
from ticket.request import Request
from ticket.tickets import load
from ticket.training import Training, read_training
from ticket.training_loop import run

Make = Callable[..., Request]
Array = NDArray[np.float64]
STEPS = 40


class Deaf(nn.Module):
    """A network whose loss does not depend on its weights: penalties alone move them."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 4, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layer(images.flatten(1) * 0.0)
        return logits


def penalised(recipe: str, number: int) -> dict[str, Any]:
    """Return the fields of a recipe's training phase."""
    found, mistakes = read_recipe(recipe_document(recipe))
    assert mistakes == []
    phase = found.round[number]
    assert isinstance(phase, Train)
    return dict(phase.changes)


def trajectory(points: DataSet, fields: dict[str, Any], weight: Tensor, doomed: Tensor) -> Array:
    """Return the weights after every step of the engine's training."""
    values, mistakes = read_training({"eval_every": "100%", "batch_size": 16}, "training")
    assert mistakes == []
    length = read_training({"length": f"{STEPS}it"}, "training")[0]
    training = Training(**{**fields, **values, **length})
    model = Deaf()
    with torch.no_grad():
        model.layer.weight.copy_(weight)
    seen: list[Array] = []

    def after_step(point: Point, sync: Callable[[], None]) -> None:
        seen.append(model.layer.weight.detach().double().numpy().copy())

    splits = split(points, 0, torch.device("cpu"))
    assert per_epoch(splits.train, 16) == 5
    (name,) = prunable(model)
    job = Job(training, splits, 0, "here", {}, {name: doomed})
    run(model, job, Hooks(after_step, lambda evaluated: None))
    return np.stack(seen)


def by_hand(weight: Array, strength: Callable[[float], Array], lr: float, momentum: float) -> Array:
    """SGD with momentum on strength(share of the phase that is over) * w."""
    weight, speed, seen = weight.copy(), np.zeros_like(weight), []
    for step in range(STEPS):
        speed = momentum * speed + strength(step / STEPS) * weight
        weight = weight - lr * speed
        seen.append(weight)
    return np.stack(seen)


@pytest.mark.parametrize(
    ("recipe", "number", "strength", "lr"),
    [
        ("dlth", 1, lambda u, d: 5e-4 + d * min(u / 0.5556, 1), 0.001),
        ("dlth-iter", 1, lambda u, d: 5e-4 + d * min(u / 0.5, 1), 0.001),
        ("greg1", 2, lambda u, d: 5e-4 + d * min(u / 0.909, 1), 0.001),
        ("greg2", 1, lambda u, d: 5e-4 + 0.01 * u + 0 * d, 0.001),
        ("greg2", 3, lambda u, d: d * (5e-4 + 0.01 + 0.99 * min(u / 0.908, 1)), 0.001),
        ("unidlth", 2, lambda u, d: d * 40 * min(u / 0.75, 1) ** 3, 0.02),
    ],
)
def test_the_trajectory_is_that_of_a_loop_in_numpy(
    points: DataSet, recipe: str, number: int, strength: Callable[[float, Array], Array], lr: float
) -> None:
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(4, 16, generator=generator)
    doomed = torch.rand(4, 16, generator=generator) < 0.5
    momentum = 0.0 if recipe == "unidlth" else 0.9
    fields = penalised(recipe, number)
    d = doomed.double().numpy()
    expected = by_hand(weight.double().numpy(), lambda u: strength(u, d), lr, momentum)
    found = trajectory(points, fields, weight, doomed)
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-6)
    moved = np.abs(found[-1] / weight.numpy() - 1)
    assert moved[doomed.numpy()].min() > 1e-4  # or there would be nothing to compare
    if recipe in ("greg2", "unidlth") and number > 1:
        assert moved[~doomed.numpy()].max() < 1e-6  # GReg-2's negative penalty undoes the decay


def test_a_linear_ramp_shrinks_a_weight_by_the_product_of_its_steps(points: DataSet) -> None:
    """Without momentum w_T = w_0 prod (1 - lr lambda_t): the closed form."""
    fields = penalised("dlth", 1) | {
        "optimizer": read_training({"optimizer": "sgd"}, "")[0]["optimizer"],
        "weight_decay": 0.0,
        "lr": 0.5,
    }
    weight, doomed = torch.ones(4, 16), torch.ones(4, 16, dtype=torch.bool)
    found = trajectory(points, fields, weight, doomed)[-1]
    lambdas = np.minimum(np.arange(STEPS) / STEPS / 0.5556, 1.0)
    assert np.allclose(found, np.prod(1 - 0.5 * lambdas), rtol=1e-4)


@pytest.mark.parametrize("method", ["dlth", "dlth-iter", "unidlth"])
def test_a_dual_ticket_is_random_and_trains_on_from_where_it_is(
    request_for: Make, method: str
) -> None:
    recipe = {"sparsity": 0.6, "rounds": {"dlth": 1, "dlth-iter": 3}.get(method)}
    found = find_one(request_for(method=method, recipe=recipe, keep="all"))
    made = [load(path) for path in sorted(found.folder.glob("round-*/ticket.safetensors"))]
    assert made[-1].kept == 64
    last = len(made) - 2
    phase = {"dlth": 1, "dlth-iter": 1, "unidlth": 2}[method]
    before = load(found.folder / f"round-{last:02d}" / f"trained-{phase}.safetensors")
    for name, mask in made[-1].masks.items():  # nothing is rewound
        assert torch.equal(made[-1].state[name], before.state[name] * mask)
    assert found.ticket.record["start"] == 0
    assert found.final["iterations"] == 20
    other = find_one(request_for(method=method, recipe=recipe, seed=1))
    assert any(not torch.equal(m, other.ticket.masks[n]) for n, m in found.ticket.masks.items())


def strong(number: int) -> tuple[tuple[str, object], ...]:
    """Let a training of 150 iterations press as much as the published one of 90,000."""
    path = f"recipe.round.{number}.train"
    return (
        (f"{path}.length", "750%"),
        (f"{path}.regularizers.0.ceiling", 100.0),
    )


@pytest.mark.parametrize(("method", "number"), [("dlth", 1), ("greg1", 2), ("greg2", 3)])
def test_the_cut_takes_what_the_penalty_has_emptied(
    request_for: Make, method: str, number: int
) -> None:
    found = find_one(
        request_for(method=method, recipe={"sparsity": 0.6, "rounds": 1}, sets=strong(number))
    )
    cut = found.rounds[0]["cut"]
    assert cut["doomed_over_kept"] < 2e-3
    weak = find_one(request_for(method=method, recipe={"sparsity": 0.6, "rounds": 1})).rounds[0]
    assert weak["cut"]["doomed_over_kept"] > 0.1
    noticed = [
        abs(c["after"]["validation_loss"] - c["before"]["validation_loss"])
        for c in (cut, weak["cut"])
    ]
    assert noticed[0] < 5e-3 < noticed[1]


def test_greg2_chooses_after_the_penalty_on_all(request_for: Make) -> None:
    """Its doomed are the smallest of the second training, not of the first."""
    asked = request_for(method="greg2", recipe={"sparsity": 0.6, "rounds": 1}, keep="all")
    found = find_one(asked)
    second = load(found.folder / "round-00" / "trained-1.safetensors")
    for name, mask in found.ticket.masks.items():
        sizes = second.state[name].abs()
        assert sizes[~mask].max() <= sizes[mask].min()
