"""An evaluation is the mean over all examples, however they are batched, and changes nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from ticket import evaluation
from ticket.batches import split
from ticket.dataset import DataSet
from ticket.evaluation import evaluate


def test_loss_and_accuracy_are_the_means_over_all_examples(mlp: nn.Module, points: DataSet) -> None:
    train = split(points, 0, torch.device("cpu")).train
    logits = mlp(train.normalised(train.images))
    score = evaluate(mlp, train)
    assert score.loss == pytest.approx(
        float(functional.cross_entropy(logits, train.labels).detach()), rel=1e-6
    )
    assert score.accuracy == float((logits.argmax(1) == train.labels).double().mean())


def test_batches_do_not_show(
    mlp: nn.Module, points: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = split(points, 0, torch.device("cpu")).train
    whole = evaluate(mlp, train)
    monkeypatch.setattr(evaluation, "BATCH", 7)  # 72 examples: the last batch is short
    apart = evaluate(mlp, train)
    assert apart.accuracy == whole.accuracy
    assert apart.loss == pytest.approx(whole.loss, rel=1e-6)


def test_literal_logits_give_the_literal_score() -> None:
    class Fixed(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[0.0, 0.0], [0.0, 100.0]])[images.flatten().long()]

    images = torch.tensor([0.0, 1.0, 1.0, 0.0]).reshape(4, 1, 1, 1)
    labels = torch.tensor([0, 1, 0, 1])
    data = DataSet("d", images, labels, images, labels, ("a", "b"))
    score = evaluate(Fixed(), split(data, 0, torch.device("cpu")).test)
    # ln 2 + 0 + 100 + ln 2 over four; a tie goes to the first class.
    assert score.loss == pytest.approx((100 + 2 * 0.693147) / 4, rel=1e-5)
    assert score.accuracy == 0.5


@pytest.mark.parametrize("training", [True, False])
def test_batch_statistics_and_mode_are_left_alone(points: DataSet, training: bool) -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.Flatten(), nn.Linear(8, 4)
    )
    model.train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    train = split(points, 0, torch.device("cpu")).train
    first, second = evaluate(model, train), evaluate(model, train)
    assert first == second  # no dropout
    assert model.training is training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
