"""A checkpoint holds all that a run is: training goes on from it bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ticket import live as living
from ticket.batches import split
from ticket.dataset import DataSet
from ticket.errors import TicketError
from ticket.evaluation import Score
from ticket.job import Hooks, Job, Point
from ticket.live import Live
from ticket.masks import dense_masks, prunable
from ticket.network import state_of
from ticket.training import Training, read_training
from ticket.training_loop import run


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Dropout(0.4),
        nn.Flatten(),
        nn.Linear(12, 4),
    )


def job(points: DataSet, optimizer: object, masks: dict[str, Tensor]) -> Job:
    values, mistakes = read_training(
        {
            "optimizer": optimizer,
            "lr": 0.1,
            "batch_size": 16,
            "length": "13it",
            "eval_every": "4it",
        },
        "t",
    )
    assert mistakes == []
    return Job(
        Training(**values), split(points, 0, torch.device("cpu")), 0, "round-0/0-train", masks
    )


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


@pytest.mark.parametrize("optimizer", ["sgd", {"name": "sgd", "momentum": 0.9}, "adam", "adamw"])
def test_a_training_goes_on_bit_for_bit_from_any_step(
    tmp_path: Path, points: DataSet, optimizer: object
) -> None:
    """With dropout, BatchNorm and moments; the network that continues starts with other weights."""
    model = network()
    masks = {n: torch.rand(w.shape) < 0.6 for n, w in prunable(model).items()}
    work = job(points, optimizer, masks)

    def save_each(point: Point, sync: Callable[[], None]) -> None:
        sync()
        living.save(tmp_path / f"{point.step}", Live(model, masks), point)

    expected = run(model, work, Hooks(save_each, lambda e: None))
    final = state_of(model)
    for step in range(1, 14):
        other = network()
        for parameter in other.parameters():
            nn.init.ones_(parameter)
        torch.manual_seed(99)
        live, point = living.restore(tmp_path / f"{step}", other)
        assert point is not None
        found = run(live.model, work, Hooks(lambda p, s: None, lambda e: None), point)
        assert equal(state_of(live.model), final), step
        assert equal(found.moments, expected.moments)
        assert equal(found.best, expected.best)
        assert (found.best_step, found.best_score) == (expected.best_step, expected.best_score)
        assert (found.stale, found.last_score) == (expected.stale, expected.last_score)


def test_a_continued_training_tells_the_same_train_loss(tmp_path: Path, points: DataSet) -> None:
    told: list[float] = []

    def save_six(point: Point, sync: Callable[[], None]) -> None:
        if point.step == 6:
            sync()
            living.save(tmp_path / "six", Live(model, {}), point)

    model = network()
    run(model, job(points, "sgd", {}), Hooks(save_six, lambda e: told.append(e.train_loss)))
    live, point = living.restore(tmp_path / "six", network())
    again: list[float] = []
    run(
        live.model,
        job(points, "sgd", {}),
        Hooks(lambda p, s: None, lambda e: again.append(e.train_loss)),
        point,
    )
    assert again == pytest.approx(told[1:], rel=1e-12)


def test_every_field_survives(tmp_path: Path) -> None:
    model = network()
    masks = dense_masks(model)
    doomed = {name: torch.rand(mask.shape) < 0.2 for name, mask in masks.items()}
    moments = {"0.weight|momentum_buffer": torch.randn(3, 1, 3, 3)}
    records: list[dict[str, Any]] = [{"round": 0, "kept": 75}]
    live = Live(model, masks, doomed, 500, moments, 2, 3, records, [{"0-train": 1.5}], 321)
    living.save(tmp_path / "c", live, None)
    found, point = living.restore(tmp_path / "c", network())
    assert point is None
    assert equal(found.masks, masks)
    assert found.doomed is not None
    assert equal(found.doomed, doomed)
    assert equal(found.moments, moments)
    assert (found.start, found.round, found.phase, found.metrics_bytes) == (500, 2, 3, 321)
    assert (found.records, found.seconds) == (records, [{"0-train": 1.5}])


def test_nothing_marked_is_not_an_empty_mark(tmp_path: Path) -> None:
    model = network()
    living.save(tmp_path / "c", Live(model, {}, None), None)
    assert living.restore(tmp_path / "c", model)[0].doomed is None


def test_a_score_not_yet_taken_survives(tmp_path: Path) -> None:
    point = Point(3, best_step=-1, last_score=Score(0.5, 0.25))
    model = network()
    living.save(tmp_path / "c", Live(model, {}), point)
    _, found = living.restore(tmp_path / "c", model)
    assert found == point


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    model = network()
    path = tmp_path / "checkpoint.safetensors"
    living.save(path, Live(model, {}), None)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(TicketError, match=r"checkpoint\.safetensors is damaged"):
        living.restore(path, model)
