"""Conv-2, Conv-4 and Conv-6: small VGG-like networks without BatchNorm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch.nn.functional as F  # noqa: N812 - the name every reader of torch code expects
from torch import Tensor, nn

from ticket.errors import UsageError
from ticket.values import Between
from ticket_plugins.models.initial import init_glorot
from ticket_plugins.models.sizes import check_sizes

Dropout = Annotated[float, Between(0, 1, open_high=True)]
CHANNELS = (64, 128, 256)  # of each pair of convolutions, in turn
HIDDEN = 256  # width of both hidden linear layers

# Frankle & Carbin 2019, figure 2: depth -> (Adam's rate, iterations, share of a convolution cut).
DROPOUT_RATE = {2: 3e-4, 4: 2e-4, 6: 2e-4}  # Adam's with dropout, appendix H.5
PAPER = {2: (2e-4, 20_000, 0.10), 4: (3e-4, 25_000, 0.10), 6: (3e-4, 30_000, 0.15)}


class Conv(nn.Module):
    """Classify images by pairs of 3x3 convolutions, each pair max-pooled, and three linear layers.

    `forward` takes float `[N, C, H, W]` and returns logits `[N, classes]`.
    """

    paper_training: Mapping[str, object]
    prune_rates: Mapping[str, float]

    def __init__(
        self, shape: tuple[int, int, int], classes: int, depth: int, dropout: float
    ) -> None:
        super().__init__()
        channels, height, width = shape
        self.dropout = dropout
        self.convs = nn.ModuleList()
        for pair in CHANNELS[: depth // 2]:
            self.convs.append(nn.Conv2d(channels, pair, 3, padding=1))
            self.convs.append(nn.Conv2d(pair, pair, 3, padding=1))
            channels, height, width = pair, height // 2, width // 2
        self.fc1 = nn.Linear(channels * height * width, HIDDEN)
        self.fc2 = nn.Linear(HIDDEN, HIDDEN)
        self.output = nn.Linear(HIDDEN, classes)
        self.units = {
            **{f"stage{i // 2 + 1}": [f"convs.{i}", f"convs.{i + 1}"] for i in range(0, depth, 2)},
            "head": ["fc1", "fc2"],
        }
        rate, iterations, conv_share = PAPER[depth]
        self.prune_rates = {
            **{f"convs.{i}.weight": conv_share for i in range(depth)},
            **{"fc1.weight": 0.2, "fc2.weight": 0.2, "output.weight": 0.1},
        }
        self.paper_training = {
            "optimizer": "adam",
            "lr": DROPOUT_RATE[depth] if dropout else rate,
            "batch_size": 60,
            "length": f"{iterations}it",
            "eval_every": "100it",
        }

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits `[N, classes]` of images `[N, C, H, W]`."""
        x = images
        for i, conv in enumerate(self.convs):
            x = conv(x).relu()
            if i % 2 == 1:
                x = F.max_pool2d(x, 2)
        x = self._dropped(self.fc1(x.flatten(1)).relu())
        x = self._dropped(self.fc2(x).relu())
        logits: Tensor = self.output(x)
        return logits

    def _dropped(self, x: Tensor) -> Tensor:
        # Only where it is in training: an exported network knows no dropout.
        return F.dropout(x, self.dropout) if self.training and self.dropout else x


def conv(
    shape: tuple[int, int, int], classes: int, *, depth: int, dropout: Dropout = 0.0
) -> nn.Module:
    """Build Conv-2, Conv-4 or Conv-6 of Frankle & Carbin 2019, figure 2.

    `shape` is (C, H, W) of an image, `depth` the number of convolutions, `dropout` the share of the
    hidden linear units that a training step leaves out (0.5 in the paper's figure 6; where, it does
    not say). Weights are Gaussian Glorot, biases zero. Raises UsageError for another depth, and for
    images that pooling would use up.
    """
    if depth not in PAPER:
        raise UsageError(f"conv: depth {depth} is not one of {', '.join(map(str, PAPER))}")
    sizes = check_sizes(f"conv-{depth}", shape, classes, smallest=2 ** (depth // 2))
    net = Conv(sizes, classes, depth, dropout)
    init_glorot(net)
    return net
