"""The residual networks for CIFAR of He et al. 2016, section 4.2."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import torch.nn.functional as F  # noqa: N812 - the name every reader of torch code expects
from torch import Tensor, nn

from ticket.errors import UsageError
from ticket_plugins.models.initial import init_he
from ticket_plugins.models.sizes import check_sizes

WIDTHS = (16, 32, 64)  # channels of each stage; the second and third halve height and width


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


class Block(nn.Module):
    """Add two 3x3 convolutions to what goes past them, with BatchNorm, ReLU after the sum."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, shortcut: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs and shortcut == "A":
            self.shortcut = PaddedIdentity(outputs - inputs, stride)
        elif inputs != outputs:
            conv = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(outputs)))

    def forward(self, x: Tensor) -> Tensor:
        """Return `[N, outputs, H / stride, W / stride]` for `x` `[N, inputs, H, W]`."""
        out = self.norm1(self.conv1(x)).relu()
        out = self.norm2(self.conv2(out))
        result: Tensor = (out + self.shortcut(x)).relu()
        return result


class ResNet(nn.Module):
    """Classify images by a stem, three stages of blocks, the mean over pixels and one linear layer.

    `forward` takes float `[N, C, H, W]` and returns logits `[N, classes]`. Parameters are named
    `stem.weight`, `stages.<stage>.<block>.conv1.weight`, `classifier.weight`, and alike.
    """

    # 160 epochs with drops at 80 and 120, as in Frankle et al. 2020 (arXiv 1912.05671).
    paper_training: Mapping[str, object] = {
        "optimizer": {"name": "sgd", "momentum": 0.9},
        "lr": 0.1,
        "weight_decay": 1e-4,
        "batch_size": 128,
        "length": "160ep",
        "schedule": {"name": "multistep", "milestones": ["80ep", "120ep"], "gamma": 0.1},
        "eval_every": "1ep",
    }

    def __init__(self, channels: int, classes: int, blocks: int, shortcut: str) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, WIDTHS[0], 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(WIDTHS[0])
        self.stages = nn.ModuleList()
        inputs = WIDTHS[0]
        for width in WIDTHS:
            stage = nn.Sequential()
            for _ in range(blocks):
                stride = 1 if inputs == width else 2
                stage.append(Block(inputs, width, stride=stride, shortcut=shortcut))
                inputs = width
            self.stages.append(stage)
        self.classifier = nn.Linear(WIDTHS[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits `[N, classes]` of images `[N, C, H, W]`."""
        x = self.norm(self.stem(images)).relu()
        for stage in self.stages:
            x = stage(x)
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits


def resnet(
    shape: tuple[int, int, int], classes: int, *, depth: int, shortcut: str = "B"
) -> nn.Module:
    """Build a CIFAR residual network of 6n + 2 layers: 20, 32, 44, 56, 110, ...

    `shape` is (C, H, W) of an image. `shortcut` says how a block that widens carries its input:
    "A", zero-padded, without parameters, or "B", a 1x1 convolution with BatchNorm. Kernels are He
    normal over fan_in. ResNet-20 with "B" has 270,896 weights for 3 x 32 x 32 and 10 classes.
    Raises UsageError for another depth or shortcut.
    """
    channels, _, _ = check_sizes(f"resnet{depth}", shape, classes)
    blocks, rest = divmod(depth - 2, 6)
    if blocks < 1:
        raise UsageError(f"resnet: depth {depth} is not 6n + 2; the smallest is 8")
    if rest:
        below = 6 * blocks + 2
        raise UsageError(
            f"resnet: depth {depth} is not 6n + 2; the nearest are {below} and {below + 6}"
        )
    if shortcut not in ("A", "B"):
        raise UsageError(f"resnet: shortcut {shortcut!r} is neither 'A' (padded) nor 'B' (1x1)")
    net = ResNet(channels, classes, blocks, shortcut)
    init_he(net)
    return net
