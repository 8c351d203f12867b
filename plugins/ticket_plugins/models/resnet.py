"""The residual networks for CIFAR of He et al. 2016, section 4.2."""

from __future__ import annotations

from functools import partial

from torch import nn

from ticket.errors import UsageError
from ticket_plugins.models.initial import init_he
from ticket_plugins.models.residual import Block
from ticket_plugins.models.sizes import blocks_per_stage, check_sizes
from ticket_plugins.models.staged import Staged, build_stages
from ticket_plugins.models.trainings import cifar_training

WIDTHS = (16, 32, 64)  # channels of each stage


def resnet(
    shape: tuple[int, int, int], classes: int, *, depth: int, shortcut: str = "B"
) -> nn.Module:
    """Build a CIFAR residual network of 6n + 2 layers: 20, 32, 44, 56, 110, ...

    `shape` is (C, H, W) of an image. `shortcut` says how a block that widens carries its input:
    "A", zero-padded, without parameters, or "B", a 1x1 convolution with BatchNorm. Kernels are He
    normal over fan_in. ResNet-20 with "B" has 270,896 weights for 3 x 32 x 32 and 10 classes.
    Raises UsageError for another depth or shortcut.
    """
    # By the name of the family that has all depths: resnet26 is one of the networks for ImageNet.
    channels, _, _ = check_sizes(f"cifar-resnet{depth}", shape, classes)
    blocks = blocks_per_stage("cifar-resnet", depth, others=2)
    if shortcut not in ("A", "B"):
        raise UsageError(f"resnet: shortcut {shortcut!r} is neither 'A' (padded) nor 'B' (1x1)")
    net = Staged(
        nn.Conv2d(channels, WIDTHS[0], 3, padding=1, bias=False),
        build_stages(partial(Block, shortcut=shortcut), WIDTHS[0], WIDTHS, [blocks] * 3),
        nn.Linear(WIDTHS[-1], classes),
        training=cifar_training(),
    )
    init_he(net)
    return net
