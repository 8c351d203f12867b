"""Fully-connected networks, LeNet-300-100 first."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ticket.errors import UsageError
from ticket_plugins.models.hidden import check_hidden, hidden_layers, hidden_units
from ticket_plugins.models.initial import init_glorot, init_he
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
        for name, layer in hidden_layers(inputs, hidden).items():
            self.add_module(name, layer)
        self.output = nn.Linear((inputs, *hidden)[-1], classes)
        self.units = hidden_units("width", hidden)
        # The output layer is small, and the paper cuts it at half the rate (appendix G.4).
        self.prune_rates = {
            f"{name}.weight": 0.1 if name == "output" else 0.2 for name, _ in self.named_children()
        }

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
    net = Mlp(channels * height * width, check_hidden("mlp", hidden), classes)
    init_glorot(net)
    return net


def lenet_300_100(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build LeNet-300-100 (LeCun 1998) as Frankle & Carbin 2019 train it.

    `shape` is (C, H, W) of an image; for MNIST that makes 266,200 weights in three layers. Raises
    UsageError as `mlp` does.
    """
    return mlp(shape, classes, hidden=(300, 100))


def mlp_300(shape: tuple[int, int, int], classes: int, *, layers: int) -> nn.Module:
    """Build MLP-n of Chen et al. 2021: `layers` hidden layers of 300 units, then one of 100.

    `shape` is (C, H, W) of an image. MLP-1 has the layers of LeNet-300-100; each one more adds
    90,000 weights. Kernels are He normal over fan_in, as in the paper's code and unlike
    LeNet-300-100 here: Glorot's variance halves the signal at every layer of equal width. Raises
    UsageError when the shape, the classes or `layers` is below 1.
    """
    name = f"mlp-{layers}"
    channels, height, width = check_sizes(name, shape, classes)
    if layers < 1:
        raise UsageError(f"{name}: {layers} hidden layers of 300; it takes 1 or more")
    net = Mlp(channels * height * width, (*(300,) * layers, 100), classes)
    init_he(net)
    return net
