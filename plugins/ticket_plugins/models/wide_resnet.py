"""The wide residual networks of Zagoruyko & Komodakis 2016."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ticket.errors import UsageError
from ticket_plugins.models.initial import init_he
from ticket_plugins.models.sizes import blocks_per_stage, check_sizes
from ticket_plugins.models.staged import build_stages, stage_units

WIDTHS = (16, 32, 64)  # channels of each stage, to be multiplied by the width


class PreActivated(nn.Module):
    """Add two 3x3 convolutions, BatchNorm and ReLU before each, to what goes past them.

    Where the channels change, a 1x1 convolution of the activated input goes past, else the input
    itself (He et al. 2016, "Identity mappings").
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.shortcut = (
            nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False) if inputs != outputs else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return `[N, outputs, H / stride, W / stride]` for `x` `[N, inputs, H, W]`."""
        activated = torch.relu(self.norm1(x))
        out = self.norm2(self.conv1(activated)).relu()
        past: Tensor = x if self.shortcut is None else self.shortcut(activated)
        result: Tensor = self.conv2(out) + past
        return result


class WideResNet(nn.Module):
    """Classify images by a stem, three stages, BatchNorm and ReLU, the mean over pixels, a linear layer.

    `forward` takes float `[N, C, H, W]` and returns logits `[N, classes]`.
    """

    def __init__(self, channels: int, classes: int, blocks: int, width: int) -> None:
        super().__init__()
        widths = [width * w for w in WIDTHS]
        self.stem = nn.Conv2d(channels, WIDTHS[0], 3, padding=1, bias=False)
        self.stages = build_stages(PreActivated, WIDTHS[0], widths, [blocks] * 3)
        self.norm = nn.BatchNorm2d(widths[-1])
        self.classifier = nn.Linear(widths[-1], classes)
        self.units = stage_units(self.stages)
        # Section 3 of the paper, for CIFAR.
        self.paper_training: dict[str, object] = {
            "optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True},
            "lr": 0.1,
            "weight_decay": 5e-4,
            "batch_size": 128,
            "length": "200ep",
            "schedule": {
                "name": "multistep",
                "milestones": ["60ep", "120ep", "160ep"],
                "gamma": 0.2,
            },
            "eval_every": "1ep",
        }

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits `[N, classes]` of images `[N, C, H, W]`."""
        x = self.stem(images)
        for stage in self.stages:
            x = stage(x)
        x = self.norm(x).relu()
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits


def wide_resnet(shape: tuple[int, int, int], classes: int, *, depth: int, width: int) -> nn.Module:
    """Build WRN-depth-width: 6n + 4 layers, `width` times the channels of a CIFAR ResNet.

    `shape` is (C, H, W) of an image. There is no dropout. Kernels are He normal over fan_in. For
    3 x 32 x 32 and 10 classes WRN-28-10 has 36,479,194 parameters, WRN-16-8 10,961,370.
    Raises UsageError for another depth and for a width below 1.
    """
    channels, _, _ = check_sizes(f"wrn-{depth}-{width}", shape, classes)
    blocks = blocks_per_stage("wrn", depth, others=4)
    if width < 1:
        raise UsageError(f"wrn: width {width} is not 1 or more")
    net = WideResNet(channels, classes, blocks, width)
    init_he(net)
    return net
