"""Accuracy by class, calibration and new BatchNorm statistics, each against a few plain lines."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ticket import api, assessment
from ticket.assessment import assess, calibration_error, reestimate
from ticket.batches import split
from ticket.dataset import DataSet
from ticket.errors import UsageError
from ticket.evaluation import evaluate
from ticket.finding import find_one
from ticket.request import Request

Make = Callable[..., Request]
CPU = torch.device("cpu")


def test_classes_are_counted_apart_and_weigh_up_to_the_whole(
    mlp: nn.Module, points: DataSet
) -> None:
    test = split(points, 0, CPU).test
    found = assess(mlp, test, points.classes)
    score = evaluate(mlp, test)
    assert (found.loss, found.accuracy) == (score.loss, score.accuracy)
    right = mlp(test.normalised(test.images)).argmax(1) == test.labels
    for number, name in enumerate(points.classes):
        mine = [bool(r) for r, label in zip(right, test.labels, strict=True) if label == number]
        assert found.per_class[name] == sum(mine) / len(mine)
    assert sum(s or 0 for s in found.per_class.values()) / 4 == pytest.approx(found.accuracy)


def test_a_class_without_examples_has_no_accuracy(mlp: nn.Module, points: DataSet) -> None:
    test = split(points, 0, CPU).test
    some = test.pick(torch.nonzero(test.labels != 2).flatten())
    found = assess(mlp, some, points.classes)
    assert [name for name, share in found.per_class.items() if share is None] == ["c"]


def test_the_calibration_error_of_four_predictions_is_counted_by_hand() -> None:
    """Two of 0.9 (one right) in one bin, 0.6 (wrong) and 0.7 (right) in bins of their own."""
    sure = torch.tensor([0.9, 0.9, 0.6, 0.7], dtype=torch.float64)
    logits = torch.stack([sure.log(), (1 - sure).log()], 1)
    labels = torch.tensor([0, 1, 1, 0])
    expected = (2 * abs(0.5 - 0.9) + abs(0 - 0.6) + abs(1 - 0.7)) / 4
    assert calibration_error(logits, labels) == pytest.approx(expected)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.integers(0, 1)), min_size=1))
def test_the_calibration_error_is_that_of_a_loop(rows: list[tuple[float, float, int]]) -> None:
    logits = torch.tensor([row[:2] for row in rows], dtype=torch.float64)
    labels = torch.tensor([row[2] for row in rows])
    confidence, predicted = (t.numpy() for t in logits.softmax(1).max(1))
    edges, total = np.linspace(0, 1, 16), 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            right = (predicted == labels.numpy())[inside].mean()
            total += inside.sum() * abs(right - confidence[inside].mean())
    assert calibration_error(logits, labels) == pytest.approx(total / len(rows), abs=1e-9)


def normed() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(),
        nn.Linear(12, 4),
    )  # fmt: skip


def test_new_statistics_are_those_of_the_examples(
    points: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of 24 of 72 examples: the mean of the batches' means and unbiased variances."""
    monkeypatch.setattr(assessment, "BATCH", 24)
    train = split(points, 0, CPU).train
    model = normed().train()
    before = copy.deepcopy(model)
    reestimate(model, train)
    maps = before[0](train.normalised(train.images)).detach()  # type: ignore[index]
    parts = maps.split(24)
    means = torch.stack([p.mean((0, 2, 3)) for p in parts]).mean(0)
    variances = torch.stack([p.transpose(0, 1).flatten(1).var(1) for p in parts]).mean(0)
    norm = model[1]  # type: ignore[index]
    assert torch.allclose(norm.running_mean, means, atol=1e-5)
    assert torch.allclose(norm.running_var, variances, atol=1e-5)
    assert norm.momentum == 0.1
    assert model.training
    assert norm.training
    for name, tensor in before.state_dict().items():
        if "running" not in name and "tracked" not in name:
            assert torch.equal(model.state_dict()[name], tensor)


def test_a_rest_of_one_example_counts_for_nothing(
    points: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = split(points, 0, CPU).train
    one, other = normed(), normed()
    monkeypatch.setattr(assessment, "BATCH", 24)
    reestimate(one, train.pick(torch.arange(48)))
    reestimate(other, train.pick(torch.arange(49)))
    assert torch.equal(one[1].running_mean, other[1].running_mean)  # type: ignore[index]


def test_a_network_without_batchnorm_is_refused(mlp: nn.Module, points: DataSet) -> None:
    with pytest.raises(UsageError, match="Sequential has no BatchNorm statistics to re-estimate"):
        reestimate(mlp, split(points, 0, CPU).train)


def test_a_ticket_is_evaluated_with_new_statistics_on_request(request_for: Make) -> None:
    sets = (("model", "resnet8"), ("dataset", {"name": "synthetic", "examples": 80, "size": 8}))
    asked = request_for(method="lth", recipe={"rounds": 1}, sets=sets)
    found = find_one(replace(asked, training={**asked.training, "length": "6it", "lr": 0.05}))
    path = found.folder / "trained.safetensors"
    as_trained = api.evaluate(path)
    anew = api.evaluate(path, reestimate_batchnorm=True)
    assert as_trained.accuracy == found.final["end"]["test_accuracy"]
    assert as_trained.loss == found.final["end"]["test_loss"]
    assert anew.loss < as_trained.loss  # six iterations at momentum 0.1 leave the statistics behind
