"""Metrics: what a training may measure beside its losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from ticket.masks import prunable
from ticket.training import Training
from ticket.uses import bind


class Metric(Protocol):
    """Measure a number at a step (group `ticket.metrics`); options are keyword-only.

    Called where the network was just evaluated, and at the first step, after the backward pass and
    before the optimizer moves anything: the prunable weights by name hold the gradient of the loss
    alone. It changes nothing.
    """

    def __call__(self, weights: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> float: ...


def measure_of(
    training: Training, model: nn.Module
) -> Callable[[Mapping[str, Tensor]], dict[str, float]]:
    """Return what takes every measurement that the training names, under the masks of the step."""
    metrics = {use.name: bind(use) for use in training.metrics}
    weights = dict(prunable(model)) if metrics else {}

    @torch.no_grad()
    def measure(masks: Mapping[str, Tensor]) -> dict[str, float]:
        return {name: float(metric(weights, masks)) for name, metric in metrics.items()}

    return measure
