"""What a network is worth beyond its accuracy: class by class, its calibration, with new statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ticket.batches import Examples
from ticket.errors import UsageError
from ticket.evaluation import BATCH, evaluate

BINS = 15  # of confidence, as in Guo et al. 2017


@dataclass(frozen=True)
class Assessment:
    """Hold loss (nats) and accuracy in [0, 1], as `evaluate` gives them, and what lies behind them.

    `per_class`: the accuracy on the examples of each class, None for one that has none.
    `calibration_error`: the expected difference of confidence and accuracy, in [0, 1].
    """

    loss: float
    accuracy: float
    per_class: Mapping[str, float | None]
    calibration_error: float


def assess(model: nn.Module, examples: Examples, classes: tuple[str, ...]) -> Assessment:
    """Assess the network on all examples, in evaluation mode; the mode it was in is restored."""
    score = evaluate(model, examples)
    logits, labels = _logits(model, examples), examples.labels.cpu()
    right = logits.argmax(1) == labels
    shares: dict[str, float | None] = {}
    for number, name in enumerate(classes):
        mine = labels == number
        shares[name] = float(right[mine].double().mean()) if bool(mine.any()) else None
    return Assessment(score.loss, score.accuracy, shares, calibration_error(logits, labels))


def calibration_error(logits: Tensor, labels: Tensor) -> float:
    """Return the expected calibration error (Guo et al. 2017, equation 3) of logits `[N, classes]`.

    Examples are put into 15 bins of equal width by the probability of their prediction; the mean over
    them of the bins' |accuracy - mean confidence|.
    """
    confidence, predicted = logits.double().softmax(1).max(1)
    right = (predicted == labels).double()
    bins = (confidence * BINS).ceil().long().clamp(1, BINS) - 1  # (0, 1/15], (1/15, 2/15], ...
    gaps = torch.zeros(BINS, dtype=torch.float64).index_add(0, bins, right - confidence)
    return float(gaps.abs().sum() / len(labels))


@torch.no_grad()
def _logits(model: nn.Module, examples: Examples) -> Tensor:
    was_training = model.training
    model.eval()
    parts = [
        model(examples.normalised(examples.images[start : start + BATCH])).float().cpu()
        for start in range(0, len(examples), BATCH)
    ]
    model.train(was_training)
    return torch.cat(parts)


@torch.no_grad()
def reestimate(model: nn.Module, examples: Examples) -> None:
    """Replace BatchNorm's running statistics by the mean over batches of these examples, in place.

    Every batch counts the same (1,000 examples each, a rest of one left out); everything else of the
    network stays in evaluation mode. Raises UsageError for a network without running statistics.
    """
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    if not norms:
        raise UsageError(f"{type(model).__name__} has no BatchNorm statistics to re-estimate")
    was_training, momenta = model.training, [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
        norm.momentum = None  # a cumulative average
    for start in range(0, len(examples), BATCH):
        images = examples.images[start : start + BATCH]
        if len(images) > 1 or start == 0:
            model(examples.normalised(images))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(was_training)
