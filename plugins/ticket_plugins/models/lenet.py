"""LeNet-5: two convolutions of 5x5, each max-pooled, and linear layers."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F  # noqa: N812 - the name every reader of torch code expects
from torch import Tensor, nn

from ticket.errors import UsageError
from ticket_plugins.models.hidden import check_hidden, hidden_layers, hidden_units
from ticket_plugins.models.initial import init_glorot
from ticket_plugins.models.sizes import check_sizes

KERNEL = 5  # height and width, in pixels; without padding each convolution takes 4 off


class LeNet5(nn.Module):
    """Classify images by `conv1`, `conv2`, hidden layers `fc1`, ... and `output`, ReLU between.

    A 2x2 max-pool follows each convolution. `forward` takes float `[N, C, H, W]` and returns logits
    `[N, classes]`.
    """

    # Evci et al. 2020, Gradient Flow in Sparse Neural Networks (arXiv 2010.03533): 25 epochs of MNIST.
    paper_training: Mapping[str, object] = {
        "optimizer": {"name": "sgd", "momentum": 0.9},
        "lr": 0.05,
        "weight_decay": 5e-4,
        "batch_size": 128,
        "length": "11719it",
        "schedule": "cosine",
        "eval_every": "100it",
    }

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        channels: tuple[int, int],
        hidden: tuple[int, ...],
    ) -> None:
        super().__init__()
        inputs, height, width = shape
        self.conv1 = nn.Conv2d(inputs, channels[0], KERNEL)
        self.conv2 = nn.Conv2d(channels[0], channels[1], KERNEL)
        features = channels[1] * _left(height) * _left(width)
        for name, layer in hidden_layers(features, hidden).items():
            self.add_module(name, layer)
        self.output = nn.Linear((features, *hidden)[-1], classes)
        self.units = {"stage1": ["conv1"], "stage2": ["conv2"], **hidden_units("head", hidden)}

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits `[N, classes]` of images `[N, C, H, W]`."""
        conv1, conv2, *hidden, output = self.children()
        x = F.max_pool2d(conv1(images).relu(), 2)
        x = F.max_pool2d(conv2(x).relu(), 2).flatten(1)
        for layer in hidden:
            x = layer(x).relu()
        logits: Tensor = output(x)
        return logits


def _left(pixels: int) -> int:
    """Return what convolutions and pools leave of a height or width."""
    return ((pixels - KERNEL + 1) // 2 - KERNEL + 1) // 2


def lenet_5(
    shape: tuple[int, int, int],
    classes: int,
    *,
    channels: tuple[int, ...] = (6, 16),
    hidden: tuple[int, ...] = (120, 84),
) -> nn.Module:
    """Build LeNet-5 (LeCun et al. 1998) with ReLU and max-pools, as Evci et al. 2020 prune it.

    `shape` is (C, H, W) of an image, 16 x 16 or more; `channels` gives the two convolutions' filters,
    `hidden` the widths of the linear layers before the output. For 1 x 28 x 28 and 10 classes it has
    44,190 weights; 20, 50 and 500 make the form of Caffe that SNIP prunes, with 430,500; 3, 3 and 27, 20
    the dense network that Evci et al. set beside a twentieth of the weights. Kernels are Gaussian
    Glorot, biases zero. Raises UsageError for a width below 1, for other than two convolutions, and
    for images that pooling would use up.
    """
    sizes = check_sizes("lenet-5", shape, classes, smallest=16)
    if len(channels) != 2 or min(channels) < 1:
        raise UsageError(f"lenet-5: channels {list(channels)} are not two numbers of 1 or more")
    net = LeNet5(sizes, classes, (channels[0], channels[1]), check_hidden("lenet-5", hidden))
    init_glorot(net)
    return net
