"""The residual networks for ImageNet of He et al. 2016, table 1, one function a depth."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from ticket.errors import UsageError
from ticket_plugins.models.initial import init_he
from ticket_plugins.models.residual import Block, Bottleneck
from ticket_plugins.models.sizes import check_sizes
from ticket_plugins.models.staged import Staged, build_stages
from ticket_plugins.models.stem import Stem, is_small
from ticket_plugins.models.trainings import cifar_training, imagenet_training

STEM = 64  # channels of the stem

# Depth -> blocks a stage. 26 is not He's: Chen et al. 2021 set it between 18 and 34.
BASIC = {18: (2, 2, 2, 2), 26: (2, 3, 4, 3), 34: (3, 4, 6, 3)}
BOTTLENECK = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
BASIC_WIDTHS = (64, 128, 256, 512)
BOTTLENECK_WIDTHS = (256, 512, 1024, 2048)  # after the last 1x1, four times what is inside


def imagenet_resnet(
    shape: tuple[int, int, int], classes: int, *, depth: int, stem: Stem = "auto"
) -> nn.Module:
    """Build a ResNet of four stages: 18, 26, 34 layers of basic blocks, 50, 101, 152 of bottlenecks.

    `shape` is (C, H, W) of an image. `stem`: "imagenet" quarters height and width by a 7x7
    convolution and a max-pool, "cifar" keeps them with a 3x3, "auto" takes "cifar" below 64 pixels.
    Blocks that widen have a 1x1 convolution past them (He's option B), bottlenecks their stride on
    the 3x3. Kernels are He normal over fan_in. Raises UsageError for another depth or stem.
    """
    name = f"resnet{depth}"
    channels, _, _ = check_sizes(name, shape, classes)
    counts: Mapping[int, tuple[int, ...]] = BASIC | BOTTLENECK
    if depth not in counts:
        raise UsageError(f"resnet: depth {depth} is not one of {', '.join(map(str, counts))}")
    unit: type[Block] | type[Bottleneck] = Block if depth in BASIC else Bottleneck
    widths = BASIC_WIDTHS if depth in BASIC else BOTTLENECK_WIDTHS
    small = is_small(name, shape, stem)
    net = Staged(
        nn.Conv2d(channels, STEM, 3, padding=1, bias=False)
        if small
        else nn.Conv2d(channels, STEM, 7, stride=2, padding=3, bias=False),
        build_stages(unit, STEM, widths, counts[depth]),
        nn.Linear(widths[-1], classes),
        training=cifar_training() if small else imagenet_training(),
        pool=not small,
    )
    init_he(net)
    return net


def resnet18(shape: tuple[int, int, int], classes: int, *, stem: Stem = "auto") -> nn.Module:
    """Build ResNet-18 of He et al. 2016, of basic blocks: 11,689,512 parameters for ImageNet."""
    return imagenet_resnet(shape, classes, depth=18, stem=stem)


def resnet26(shape: tuple[int, int, int], classes: int, *, stem: Stem = "auto") -> nn.Module:
    """Build ResNet-26 of Chen et al. 2021, of basic blocks: 19,066,920 parameters for ImageNet."""
    return imagenet_resnet(shape, classes, depth=26, stem=stem)


def resnet34(shape: tuple[int, int, int], classes: int, *, stem: Stem = "auto") -> nn.Module:
    """Build ResNet-34 of He et al. 2016, of basic blocks: 21,797,672 parameters for ImageNet."""
    return imagenet_resnet(shape, classes, depth=34, stem=stem)


def resnet50(shape: tuple[int, int, int], classes: int, *, stem: Stem = "auto") -> nn.Module:
    """Build ResNet-50 of He et al. 2016, of bottlenecks: 25,557,032 parameters for ImageNet."""
    return imagenet_resnet(shape, classes, depth=50, stem=stem)


def resnet101(shape: tuple[int, int, int], classes: int, *, stem: Stem = "auto") -> nn.Module:
    """Build ResNet-101 of He et al. 2016, of bottlenecks: 44,549,160 parameters for ImageNet."""
    return imagenet_resnet(shape, classes, depth=101, stem=stem)


def resnet152(shape: tuple[int, int, int], classes: int, *, stem: Stem = "auto") -> nn.Module:
    """Build ResNet-152 of He et al. 2016, of bottlenecks: 60,192,808 parameters for ImageNet."""
    return imagenet_resnet(shape, classes, depth=152, stem=stem)
