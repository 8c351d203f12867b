"""MobileNet (V1): each convolution split into one a channel and one a pixel (Howard et al. 2017)."""

from __future__ import annotations

from torch import Tensor, nn

from ticket_plugins.models.initial import init_he
from ticket_plugins.models.sizes import check_sizes
from ticket_plugins.models.staged import Staged, build_stages
from ticket_plugins.models.stem import Stem, is_small
from ticket_plugins.models.trainings import cifar_training, imagenet_training

STEM = 32  # channels of the stem
WIDTHS = (64, 128, 256, 512, 1024)  # channels of each stage
COUNTS = (1, 2, 2, 6, 2)  # units of each stage


class Separable(nn.Module):
    """Convolve each channel by a 3x3, then mix channels by a 1x1; BatchNorm and ReLU after each."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(
            inputs, inputs, 3, stride=stride, padding=1, groups=inputs, bias=False
        )
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv2 = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[N, outputs, H / stride, W / stride]` for `x` `[N, inputs, H, W]`."""
        x = self.norm1(self.conv1(x)).relu()
        result: Tensor = self.norm2(self.conv2(x)).relu()
        return result


def mobilenet_v1(shape: tuple[int, int, int], classes: int, *, stem: Stem = "auto") -> nn.Module:
    """Build MobileNet of full width: a 3x3 stem and 13 units, of which five of 512 channels repeat.

    `shape` is (C, H, W) of an image. `stem`: "imagenet" has stride 2 as in the paper's table 1,
    "cifar" stride 1 (the variant of kuangliu's pytorch-cifar, which Chen et al. 2021 prune: the
    four later strides stay, 32 pixels become 2), "auto" takes "cifar" below 64 pixels. The stride
    of the last unit is 1; the table's 2 contradicts the sizes beside it. Kernels are He normal over
    fan_in. 4,231,976 parameters for 3 channels and 1,000 classes. Raises UsageError for another
    stem.
    """
    channels, _, _ = check_sizes("mobilenet-v1", shape, classes)
    small = is_small("mobilenet-v1", shape, stem)
    net = Staged(
        nn.Conv2d(channels, STEM, 3, stride=1 if small else 2, padding=1, bias=False),
        build_stages(Separable, STEM, WIDTHS, COUNTS),
        nn.Linear(WIDTHS[-1], classes),
        # The paper trains by RMSProp and gives no numbers; 4e-5 is the decay of its authors' code.
        training=cifar_training() if small else imagenet_training(weight_decay=4e-5),
    )
    init_he(net)
    return net
