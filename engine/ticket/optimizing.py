"""The optimizer of a training, and its moments as plain tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ticket.masks import prunable
from ticket.training import Training
from ticket.uses import bind


def make_optimizer(model: nn.Module, training: Training) -> Optimizer:
    """Make the optimizer of a training; prunable weights may be spared the weight decay."""
    weights = list(prunable(model).values())
    spared = {id(w) for w in weights} if not training.decay_prunable else set()
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {
            "params": [p for p in parameters if id(p) not in spared],
            "weight_decay": training.weight_decay,
        },
        {"params": [p for p in parameters if id(p) in spared], "weight_decay": 0.0},
    ]
    optimizer: Optimizer = bind(training.optimizer)([g for g in groups if g["params"]], training.lr)
    return optimizer


def moments_of(optimizer: Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """Return the optimizer's tensors as `<parameter>|<moment>`, on the CPU."""
    names = {id(p): name for name, p in model.named_parameters()}
    return {
        f"{names[id(parameter)]}|{key}": value.detach().to("cpu", copy=True)
        for parameter, values in optimizer.state.items()
        for key, value in values.items()
        if isinstance(value, Tensor)
    }


def put_moments(optimizer: Optimizer, model: nn.Module, moments: Mapping[str, Tensor]) -> None:
    """Give a fresh optimizer the tensors of `moments_of`."""
    parameters = dict(model.named_parameters())
    fused = bool(optimizer.defaults.get("fused"))
    for name, value in moments.items():
        parameter, _, key = name.rpartition("|")
        target = parameters[parameter]
        # Only a fused step counts its steps on the device.
        where = target.device if value.dim() or fused else torch.device("cpu")
        optimizer.state[target][key] = value.to(where, copy=True)
