"""A training is the plain loop of torch, step for step, and reports what it saw."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ticket.batches import batches, split
from ticket.dataset import DataSet
from ticket.errors import TicketError, UsageError
from ticket.job import Evaluated, Hooks, Job, Point
from ticket.masks import prunable
from ticket.training import Training, read_training
from ticket.training_loop import run

CPU = torch.device("cpu")
QUIET = Hooks(lambda point, sync: None, lambda evaluated: None)


def training(**fields: object) -> Training:
    given = {"lr": 0.05, "batch_size": 16, "length": "20it", "eval_every": "5it", **fields}
    values, mistakes = read_training(given, "training")
    assert mistakes == []
    return Training(**values)


def job(points: DataSet, masks: dict[str, Tensor] | None = None, **fields: Any) -> Job:
    start = fields.pop("start", 0)
    return Job(
        training(**fields), split(points, 0, CPU), 0, "round-0/0-train", masks or {}, start=start
    )


def some_masks(model: nn.Module) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return {n: torch.rand(w.shape, generator=generator) < 0.5 for n, w in prunable(model).items()}


def reference(
    model: nn.Module, points: DataSet, optimizer: torch.optim.Optimizer, steps: int,
    masks: dict[str, Tensor], each_step: Callable[[int], None] = lambda step: None,
) -> None:  # fmt: skip
    """Train by a loop as anybody would write it."""
    feed = batches(split(points, 0, CPU), 16, 0, "round-0/0-train", 0, True)
    weights = dict(model.named_parameters())
    with torch.no_grad():
        for name, mask in masks.items():
            weights[name].masked_fill_(~mask, 0.0)
    model.train()
    for step in range(steps):
        each_step(step)
        inputs, labels = next(feed)
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            for name, mask in masks.items():
                weights[name].masked_fill_(~mask, 0.0)
                for value in optimizer.state[weights[name]].values():
                    if isinstance(value, Tensor) and value.shape == mask.shape:
                        value.masked_fill_(~mask, 0.0)


OPTIMIZERS: dict[str, tuple[object, Callable[..., torch.optim.Optimizer]]] = {
    "sgd": ({"name": "sgd"}, lambda p, lr, wd: torch.optim.SGD(p, lr, weight_decay=wd, fused=True)),
    "momentum": (
        {"name": "sgd", "momentum": 0.9, "nesterov": True},
        lambda p, lr, wd: torch.optim.SGD(p, lr, 0.9, weight_decay=wd, nesterov=True, fused=True),
    ),
    "adam": ("adam", lambda p, lr, wd: torch.optim.Adam(p, lr, weight_decay=wd, fused=True)),
    "adamw": ("adamw", lambda p, lr, wd: torch.optim.AdamW(p, lr, weight_decay=wd, fused=True)),
}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_training_equals_the_plain_loop_bit_for_bit(
    mlp: nn.Module, points: DataSet, name: str, decay: float, masked: bool
) -> None:
    written, make = OPTIMIZERS[name]
    masks = some_masks(mlp) if masked else {}
    other = copy.deepcopy(mlp)
    reference(other, points, make(other.parameters(), 0.05, decay), 20, masks)
    run(mlp, job(points, masks, optimizer=written, weight_decay=decay), QUIET)
    for (key, found), expected in zip(
        mlp.state_dict().items(), other.state_dict().values(), strict=True
    ):
        assert torch.equal(found, expected), key


def test_a_schedule_moves_the_rate_of_the_plain_loop(mlp: nn.Module, points: DataSet) -> None:
    other = copy.deepcopy(mlp)
    optimizer = torch.optim.SGD(other.parameters(), 0.05, fused=True)

    def each_step(step: int) -> None:
        optimizer.param_groups[0]["lr"] = 0.05 * (0.1 if step >= 10 else 1.0)

    reference(other, points, optimizer, 20, {}, each_step)
    schedule = {"name": "multistep", "milestones": ["10it"]}
    run(mlp, job(points, optimizer="sgd", schedule=schedule), QUIET)
    assert all(torch.equal(a, b) for a, b in zip(mlp.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_masked_weights_are_positive_zero_after_every_step(
    mlp: nn.Module, points: DataSet, name: str
) -> None:
    masks = some_masks(mlp)
    looked = []

    def after_step(point: Point, sync: Callable[[], None]) -> None:
        sync()
        moments = {k: v for k, v in point.moments.items() if v.dim() == 2}
        for key, mask in masks.items():
            held = [v for k, v in moments.items() if k.startswith(f"{key}|")]
            for value in [prunable(mlp)[key].detach(), *held]:
                gone = value[~mask]
                assert not gone.any()
                assert not gone.signbit().any()
                assert value[mask].any()
            looked.append(len(held))

    written, _ = OPTIMIZERS[name]
    run(
        mlp,
        job(points, masks, optimizer=written, weight_decay=0.01),
        Hooks(after_step, lambda e: None),
    )
    assert looked == [{"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}[name]] * 40


def test_weight_decay_can_spare_the_prunable_weights(mlp: nn.Module, points: DataSet) -> None:
    other = copy.deepcopy(mlp)
    weights = {id(w) for w in prunable(other).values()}
    parameters = list(other.parameters())
    spared = [p for p in parameters if id(p) in weights]
    rest = [p for p in parameters if id(p) not in weights]
    groups: list[dict[str, Any]] = [{"params": rest, "weight_decay": 0.5}, {"params": spared}]
    optimizer = torch.optim.SGD(groups, 0.05, fused=True)
    reference(other, points, optimizer, 20, {})
    run(mlp, job(points, optimizer="sgd", weight_decay=0.5, decay_prunable=False), QUIET)
    assert all(torch.equal(a, b) for a, b in zip(mlp.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(
    ("length", "every", "at"),
    [
        ("20it", "5it", [5, 10, 15, 20]),
        ("20it", "8it", [8, 16, 20]),
        ("2ep", "1ep", [5, 10]),  # 72 examples in batches of 16
        ("20it", "25%", [5, 10, 15, 20]),
        ("3it", "100it", [3]),
    ],
)
def test_evaluations_come_on_time_and_at_the_end(
    mlp: nn.Module, points: DataSet, length: str, every: str, at: list[int]
) -> None:
    seen: list[Evaluated] = []
    run(mlp, job(points, length=length, eval_every=every), Hooks(lambda p, s: None, seen.append))
    assert [e.step for e in seen] == at


@pytest.mark.parametrize(("start", "every"), [(0, 5), (3, 5), (7, 8)])
def test_the_train_loss_is_the_mean_since_the_last_evaluation(
    mlp: nn.Module, points: DataSet, start: int, every: int
) -> None:
    losses: dict[int, float] = {}
    splits = split(points, 0, CPU)
    feed = batches(splits, 16, 0, "round-0/0-train", start, True)
    twin = copy.deepcopy(mlp)
    optimizer = torch.optim.SGD(twin.parameters(), 0.05, fused=True)
    for step in range(start, 20):
        inputs, labels = next(feed)
        optimizer.zero_grad()
        loss = functional.cross_entropy(twin(inputs), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses[step + 1] = loss.item()
    seen: list[Evaluated] = []
    run(
        mlp,
        job(points, start=start, eval_every=f"{every}it"),
        Hooks(lambda p, s: None, seen.append),
    )
    last = start
    for evaluated in seen:
        expected = [losses[s] for s in range(last + 1, evaluated.step + 1)]
        assert evaluated.train_loss == pytest.approx(sum(expected) / len(expected), rel=1e-6)
        last = evaluated.step


def test_the_best_step_is_where_the_validation_loss_is_lowest(
    mlp: nn.Module, points: DataSet
) -> None:
    seen: list[Evaluated] = []
    point = run(mlp, job(points, lr=2.0, length="60it"), Hooks(lambda p, s: None, seen.append))
    lowest = min(seen, key=lambda e: e.score.loss)
    assert (point.best_step, point.best_score) == (lowest.step, lowest.score)
    assert point.best_step < point.step == 60  # or this test would show nothing
    assert point.last_score == seen[-1].score


@pytest.mark.parametrize("patience", [1, 2])
def test_patience_stops_after_so_many_evaluations_without_a_lower_loss(
    mlp: nn.Module, points: DataSet, patience: int
) -> None:
    seen: list[Evaluated] = []
    fields: dict[str, Any] = {"lr": 2.0, "length": "200it", "patience": patience}
    point = run(mlp, job(points, **fields), Hooks(lambda p, s: None, seen.append))
    assert point.step < 200
    assert point.step - point.best_step == 5 * patience
    assert point.stale == patience


def test_the_best_weights_can_be_restored(mlp: nn.Module, points: DataSet) -> None:
    states: dict[int, list[Tensor]] = {}

    def after_step(point: Point, sync: Callable[[], None]) -> None:
        states[point.step] = [p.detach().clone() for p in mlp.parameters()]

    fields: dict[str, Any] = {"lr": 2.0, "length": "60it", "restore_best": True}
    point = run(mlp, job(points, **fields), Hooks(after_step, lambda e: None))
    assert 0 < point.best_step < 60
    assert all(
        torch.equal(a, b) for a, b in zip(mlp.parameters(), states[point.best_step], strict=True)
    )
    assert not all(torch.equal(a, b) for a, b in zip(mlp.parameters(), states[60], strict=True))


class Poisoned(nn.Module):
    """Give a NaN in training from the given forward pass on."""

    def __init__(self, inner: nn.Module, at: int) -> None:
        super().__init__()
        self.inner, self.at, self.passes = inner, at, 0

    def forward(self, images: Tensor) -> Tensor:
        self.passes += self.training
        logits: Tensor = self.inner(images)
        return logits * math.nan if self.passes >= self.at else logits


@pytest.mark.parametrize("at", [1, 7, 20])
def test_a_loss_that_is_no_number_stops_and_names_the_iteration(
    mlp: nn.Module, points: DataSet, at: int
) -> None:
    with pytest.raises(
        TicketError, match=rf"loss is nan at iteration {at}; lower the learning rate"
    ):
        run(Poisoned(mlp, at), job(points, eval_every="100it"), QUIET)


def test_a_last_step_that_breaks_the_weights_is_noticed(mlp: nn.Module, points: DataSet) -> None:
    """Its own loss is that of the weights before it."""
    with pytest.raises(TicketError, match=r"loss is (nan|inf) at iteration 1\b"):
        run(mlp, job(points, length="1it", lr=1e38), QUIET)


@pytest.mark.parametrize("fields", [{"length": "0it"}, {"length": "20it", "start": 20}])
def test_a_training_without_iterations_is_refused(
    mlp: nn.Module, points: DataSet, fields: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="has no iterations"):
        run(mlp, job(points, **fields), QUIET)
