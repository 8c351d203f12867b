"""Initial weights that know their mask (Evci et al. 2022, arXiv 2010.03533, section 3.1)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from ticket.values import Positive


def sparse_aware(
    weight: Tensor,
    mask: Tensor,
    generator: torch.Generator,
    *,
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in",
    distribution: Literal["normal", "uniform"] = "normal",
    scale: Positive = 2.0,
) -> None:
    """Draw every weight with variance scale / fan, the fan counted from the mask.

    The fan-in of a connection is the number of kept weights of its output neuron (channel), the fan-out
    that of its input, at least 1; of a full mask this is He's initialisation. The paper's official code
    has mode `fan_avg`, distribution `uniform` and scale 1 by default. In a grouped convolution an input
    is counted over all groups.
    """
    alive = mask.to(torch.float64)
    fan_in = alive.flatten(1).sum(1).reshape(-1, *[1] * (mask.dim() - 1))
    others = [axis for axis in range(mask.dim()) if axis != 1]
    fan_out = alive.sum(dim=others, keepdim=True)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    deviation = (scale / fan.clamp(min=1.0)).sqrt()
    if distribution == "normal":
        drawn = torch.randn(mask.shape, generator=generator, dtype=torch.float64)
    else:
        drawn = torch.rand(mask.shape, generator=generator, dtype=torch.float64) * 2 - 1
        drawn *= math.sqrt(3.0)  # variance 1
    weight.copy_(drawn * deviation.to(drawn.device))


def layer_scaled(weight: Tensor, mask: Tensor, generator: torch.Generator) -> None:
    """Divide the network's own initial weights by the root of the layer's density.

    The alternative in the paper's code: right on average over a layer, not neuron by neuron.
    """
    weight.div_(math.sqrt(max(int(mask.count_nonzero()), 1) / mask.numel()))
