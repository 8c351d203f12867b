"""Metrics that a training may measure beside its losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor


def gradient_norm(
    weights: Mapping[str, Tensor],
    masks: Mapping[str, Tensor],
    *,
    of: Literal["kept", "all"] = "kept",
) -> float:
    """Return the norm of the loss's gradient on a batch, over the kept prunable weights or all.

    What Evci et al. 2022 (arXiv 2010.03533) call gradient flow: its square is the fall of the loss for
    an infinitely small step of gradient descent, by the rate.
    """
    total = torch.zeros((), dtype=torch.float64)
    for name, weight in weights.items():
        if weight.grad is None:
            continue
        grad = weight.grad.double()
        if of == "kept" and name in masks:
            grad = grad * masks[name]
        total += grad.square().sum().cpu()
    return float(total.sqrt())
