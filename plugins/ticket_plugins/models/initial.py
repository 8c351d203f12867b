"""The two initial distributions of the literature on tickets."""

from __future__ import annotations

from torch import nn


def init_glorot(net: nn.Module) -> None:
    """Draw every kernel from N(0, 2 / (fan_in + fan_out)) and zero the biases (Glorot 2010)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def init_he(net: nn.Module) -> None:
    """Draw every kernel from N(0, 2 / fan_in) and zero the biases (He 2015, equation 10).

    fan_in, not fan_out: it is what the published ticket experiments on CIFAR networks start from.
    BatchNorm keeps its scale of 1 and shift of 0.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
