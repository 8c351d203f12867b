"""VGG for CIFAR-sized images: BatchNorm after each convolution, linear layers at the end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import torch.nn.functional as F  # noqa: N812 - the name every reader of torch code expects
from torch import Tensor, nn

from ticket.errors import UsageError
from ticket_plugins.models.hidden import check_hidden, hidden_layers, hidden_units
from ticket_plugins.models.initial import init_he
from ticket_plugins.models.sizes import check_sizes
from ticket_plugins.models.staged import stage_units
from ticket_plugins.models.trainings import cifar_training

WIDTHS = (64, 128, 256, 512, 512)  # channels of each stage

# Simonyan & Zisserman 2015, table 1, configurations A, B, D, E: depth -> convolutions a stage.
STAGES = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}


class Vgg(nn.Module):
    """Classify images by five stages of 3x3 convolutions and linear layers, ReLU between.

    A 2x2 max-pool stands between the stages; the mean over pixels follows the last one. `forward`
    takes float `[N, C, H, W]` and returns logits `[N, classes]`.
    """

    paper_training: Mapping[str, object]

    def __init__(self, channels: int, classes: int, depth: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        for width, convs in zip(WIDTHS, STAGES[depth], strict=True):
            stage = nn.Sequential()
            for _ in range(convs):
                # BatchNorm's shift makes a bias of the convolution void.
                conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
                norm = nn.BatchNorm2d(width)
                stage.append(nn.Sequential(OrderedDict(conv=conv, norm=norm, relu=nn.ReLU())))
                channels = width
            self.stages.append(stage)
        for name, layer in hidden_layers(WIDTHS[-1], hidden).items():
            self.add_module(name, layer)
        self.classifier = nn.Linear((WIDTHS[-1], *hidden)[-1], classes)
        self.units = stage_units(self.stages) | hidden_units("head", hidden)
        # VGG-19: Frankle & Carbin 2019, appendix I.2; the others: Frankle et al. 2020.
        self.paper_training = cifar_training(batch_size=64 if depth == 19 else 128)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits `[N, classes]` of images `[N, C, H, W]`."""
        x = images
        for i, stage in enumerate(self.stages):
            if i > 0:
                x = F.max_pool2d(x, 2)
            x = stage(x)
        x = x.mean((2, 3))
        _, *hidden, classifier = self.children()
        for layer in hidden:
            x = layer(x).relu()
        logits: Tensor = classifier(x)
        return logits


def vgg(
    shape: tuple[int, int, int], classes: int, *, depth: int, hidden: tuple[int, ...] = ()
) -> nn.Module:
    """Build VGG-11, 13, 16 or 19 with BatchNorm for small images.

    `shape` is (C, H, W) of an image, 16 x 16 or more; `hidden` gives the widths of linear layers
    before the classifier: 512, 512 makes the three fully-connected layers of Chen et al. 2021.
    Kernels are He normal over fan_in. VGG-19 has 20,024,000 weights for 3 channels and 10 classes.
    Raises UsageError for another depth, for a width below 1 and for images that the four pools
    would use up.
    """
    if depth not in STAGES:
        raise UsageError(f"vgg: depth {depth} is not one of {', '.join(map(str, STAGES))}")
    name = f"vgg{depth}"
    channels, _, _ = check_sizes(name, shape, classes, smallest=16)
    net = Vgg(channels, classes, depth, check_hidden(name, hidden))
    init_he(net)
    return net
