"""Regularizers: what is added to the gradient of the prunable weights during training."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Regularizer(Protocol):
    """Add to a gradient in place (group `ticket.regularizers`); options are keyword-only.

    Called at every step for every prunable weight: `weight` and `grad` of the weight's shape, `doomed`
    True where the next cut removes (None when nothing is marked), `progress` in [0, 1) through the phase.
    """

    def __call__(
        self, weight: Tensor, grad: Tensor, doomed: Tensor | None, progress: float
    ) -> None: ...
