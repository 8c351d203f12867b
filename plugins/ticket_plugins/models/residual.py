"""The residual units of He et al. 2016: what they add, and what goes past them."""

from __future__ import annotations

from collections import OrderedDict

import torch.nn.functional as F  # noqa: N812 - the name every reader of torch code expects
from torch import Tensor, nn


class PaddedIdentity(nn.Module):
    """Carry every second pixel past the block, with zeros for the channels that are new.

    He's option A, which has no parameters.
    """

    def __init__(self, new_channels: int, stride: int) -> None:
        super().__init__()
        self.new_channels = new_channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` `[N, C, H, W]` as `[N, C + new_channels, H / stride, W / stride]`."""
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.new_channels))


def projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Build He's option B: a 1x1 convolution with BatchNorm, where the channels change."""
    if inputs == outputs:
        return nn.Identity()
    conv = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(outputs)))


class Block(nn.Module):
    """Add two 3x3 convolutions to what goes past them, with BatchNorm, ReLU after the sum.

    `shortcut` says how a block that widens carries its input: He's option "A" or "B".
    """

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: str = "B") -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        padded = inputs != outputs and shortcut == "A"
        self.shortcut = (
            PaddedIdentity(outputs - inputs, stride)
            if padded
            else projection(inputs, outputs, stride)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return `[N, outputs, H / stride, W / stride]` for `x` `[N, inputs, H, W]`."""
        out = self.norm1(self.conv1(x)).relu()
        out = self.norm2(self.conv2(out))
        result: Tensor = (out + self.shortcut(x)).relu()
        return result


class Bottleneck(nn.Module):
    """Add a 1x1, a 3x3 and a 1x1 convolution to what goes past them; a quarter of `outputs` inside.

    The 3x3 has the stride, not the first 1x1 as in the paper: all pixels are read (torchvision's
    "V1.5", half a percent better).
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        inside = outputs // 4
        self.conv1 = nn.Conv2d(inputs, inside, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(inside)
        self.conv2 = nn.Conv2d(inside, inside, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(inside)
        self.conv3 = nn.Conv2d(inside, outputs, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(outputs)
        self.shortcut = projection(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[N, outputs, H / stride, W / stride]` for `x` `[N, inputs, H, W]`."""
        out = self.norm1(self.conv1(x)).relu()
        out = self.norm2(self.conv2(out)).relu()
        out = self.norm3(self.conv3(out))
        result: Tensor = (out + self.shortcut(x)).relu()
        return result
