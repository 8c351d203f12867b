"""Optimizers of torch, fused where torch can: one call updates all parameters."""

from __future__ import annotations

from typing import Annotated, Any

import torch

from ticket.errors import UsageError
from ticket.values import Between, NotNegative, Positive

Momentum = Annotated[float, Between(0, 1, open_high=True)]
Groups = list[dict[str, Any]]


def sgd(
    groups: Groups, lr: float, *, momentum: Momentum = 0.0, nesterov: bool = False
) -> torch.optim.Optimizer:
    """Stochastic gradient descent, with momentum (heavy ball or Nesterov).

    Raises UsageError for Nesterov without momentum.
    """
    if nesterov and not momentum:
        raise UsageError("sgd: nesterov wants a momentum, such as --momentum 0.9")
    return torch.optim.SGD(
        groups, lr=lr, momentum=momentum, nesterov=nesterov, fused=_fused(groups)
    )


def adam(
    groups: Groups,
    lr: float,
    *,
    beta1: Momentum = 0.9,
    beta2: Momentum = 0.999,
    eps: Positive = 1e-8,
) -> torch.optim.Optimizer:
    """Adam; weight decay is added to the gradient (Kingma & Ba 2015)."""
    return torch.optim.Adam(groups, lr=lr, betas=(beta1, beta2), eps=eps, fused=_fused(groups))


def adamw(
    groups: Groups,
    lr: float,
    *,
    beta1: Momentum = 0.9,
    beta2: Momentum = 0.999,
    eps: NotNegative = 1e-8,
) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""
    return torch.optim.AdamW(groups, lr=lr, betas=(beta1, beta2), eps=eps, fused=_fused(groups))


def _fused(groups: Groups) -> bool:
    """Tell whether torch has one kernel for the step: CPU and CUDA, floating point."""
    tensors = [p for group in groups for p in group["params"]]
    return all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in tensors)
