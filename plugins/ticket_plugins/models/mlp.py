"""Fully-connected networks, LeNet-300-100 first."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ticket.errors import UsageError
from ticket_plugins.models.initial import init_glorot
from ticket_plugins.models.sizes import check_sizes


class Mlp(nn.Module):
    """Classify flattened images by linear layers `fc1`, `fc2`, ... and `output`, ReLU between.

    `forward` takes float `[N, C, H, W]` and returns logits `[N, classes]`.
    """

    # Frankle & Carbin 2019, figure 2.
    paper_training: Mapping[str, object] = {
        "optimizer": "adam",
        "lr": 1.2e-3,
        "batch_size": 60,
        "length": "50000it",
        "eval_every": "100it",
    }
    prune_rates: Mapping[str, float]

    def __init__(self, inputs: int, hidden: tuple[int, ...], classes: int) -> None:
        super().__init__()
        widths = (inputs, *hidden, classes)
        names = [*(f"fc{i}" for i in range(1, len(hidden) + 1)), "output"]
        for name, fan_in, fan_out in zip(names, widths[:-1], widths[1:], strict=True):
            self.add_module(name, nn.Linear(fan_in, fan_out))
        # The output layer is small, and the paper cuts it at half the rate (appendix G.4).
        self.prune_rates = {f"{name}.weight": 0.1 if name == "output" else 0.2 for name in names}

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits `[N, classes]` of images `[N, C, H, W]`."""
        *hidden, output = self.children()
        x = images.flatten(1)
        for layer in hidden:
            x = layer(x).relu()
        logits: Tensor = output(x)
        return logits


def mlp(
    shape: tuple[int, int, int], classes: int, *, hidden: tuple[int, ...] = (300, 100)
) -> nn.Module:
    """Build a fully-connected network with hidden layers of the given widths.

    `shape` is (C, H, W) of an image. Weights are Gaussian Glorot, N(0, 2 / (fan_in + fan_out)),
    biases zero. Raises UsageError when the shape, the classes or a width is below 1.
    """
    channels, height, width = check_sizes("mlp", shape, classes)
    widths = tuple(hidden)
    if any(size < 1 for size in widths):
        raise UsageError(f"mlp: hidden widths {list(widths)} are not all 1 or more")
    net = Mlp(channels * height * width, widths, classes)
    init_glorot(net)
    return net


def lenet_300_100(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build LeNet-300-100 (LeCun 1998) as Frankle & Carbin 2019 train it.

    `shape` is (C, H, W) of an image; for MNIST that makes 266,200 weights in three layers. Raises
    UsageError as `mlp` does.
    """
    return mlp(shape, classes, hidden=(300, 100))
