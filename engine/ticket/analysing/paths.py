"""Whether a signal gets through a ticket at all: layer collapse, told before anything is trained."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ticket.masks import prunable

_NORMALISATION = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)


def connected(network: nn.Module, masks: Mapping[str, Tensor], images: Tensor) -> dict[str, Tensor]:
    """Return, for each prunable parameter, which kept weights lie on a path from input to output.

    Kept weights are set to 1 over their fan, biases and normalisation are taken out (SynFlow's flow with
    the mask for weights, Tanaka et al. 2020, equation 4): a weight without gradient is on no path.
    `images` only tells the shape. Where no weight is connected the network has collapsed: its output is
    constant.
    """
    model = _linear(copy.deepcopy(network).double().eval())
    weights = prunable(model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
            if name in masks:
                parameter.mul_(masks[name])
            if name in weights:  # by the fan, so that a deep network neither overflows nor dies out
                parameter.div_(parameter[0].numel())
    out = model(torch.ones(1, *images.shape[1:], dtype=torch.float64))
    gradients = torch.autograd.grad(out.sum(), list(weights.values()), allow_unused=True)
    found = {}
    for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
        flow = torch.zeros_like(weight) if gradient is None else gradient * weight
        found[name] = (flow != 0).detach()
    return found


def _linear(model: nn.Module) -> nn.Module:
    """Take out what could stop or fake a signal: normalisation becomes the identity."""
    for name, module in list(model.named_children()):
        if isinstance(module, _NORMALISATION):
            setattr(model, name, nn.Identity())
        else:
            _linear(module)
    return model
