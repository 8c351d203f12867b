"""Any small network of known layers is captured and lowered to what PyTorch computes."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name every reader of torch code expects
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ticket.exporting.decode import decode
from ticket.exporting.encode import encode
from ticket.exporting.lower import lower
from ticket.exporting.passes.normalise import Normalisation
from ticket.exporting.reference import run
from ticket.masks import apply_, prunable


class Shortcut(nn.Module):
    """Add what goes past to what goes through, then activate."""

    def __init__(self, channels: int, act: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        """Return act(norm(conv(x)) + x)."""
        result: Tensor = self.act(self.norm(self.conv(x)) + x)
        return result


class Branches(nn.Module):
    """Join two ways, one of them gated by its mean."""

    def __init__(self, channels: int, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """Return the channels of both."""
        return torch.cat([x * x.mean((2, 3), keepdim=True).relu(), self.inner(x)], 1)


def drawn_layer(draw: random.Random, channels: int) -> tuple[nn.Module, int]:
    """Draw a layer that takes images of `channels` channels; return it and what it makes."""
    act = draw.choice((nn.ReLU(inplace=draw.random() < 0.1), nn.ReLU6(), nn.Identity()))
    match draw.choice(("conv", "conv", "conv", "norm", "pool", "shortcut", "branches", "pad")):
        case "conv":
            kernel = (draw.randint(1, 3), draw.randint(1, 3))
            groups = draw.choice((1, 1, channels))
            out = channels * draw.randint(1, 2) if groups > 1 else draw.randint(1, 5)
            conv = nn.Conv2d(
                channels, out, kernel, draw.randint(1, 2), draw.choice((0, 1, (2, 1))),
                draw.randint(1, 2), groups, draw.random() < 0.5,
            )  # fmt: skip
            norm = nn.BatchNorm2d(out) if draw.random() < 0.5 else nn.Identity()
            return nn.Sequential(conv, norm, nn.Dropout(), act), out
        case "norm":
            return nn.Sequential(nn.BatchNorm2d(channels), act), channels
        case "pool":
            options: dict[str, Any] = {
                "stride": draw.randint(1, 3),
                "padding": draw.randint(0, 1),
                "ceil_mode": draw.random() < 0.5,
            }
            pool = nn.MaxPool2d(2, **options)
            if draw.random() < 0.5:
                return nn.AvgPool2d(2, **options, count_include_pad=draw.random() < 0.5), channels
            return nn.Sequential(pool, act), channels
        case "shortcut":
            return Shortcut(channels, act), channels
        case "branches":
            inner, made = nn.Conv2d(channels, 2, 1), 2
            return Branches(channels, inner), channels + made
        case _:
            return nn.ZeroPad2d((1, 0, 2, 1)), channels


def drawn_network(draw: random.Random) -> tuple[nn.Module, tuple[int, int, int]]:
    """Draw a network with random statistics and masks, and the shape of its images."""
    torch.manual_seed(draw.randrange(2**31))
    shape = (draw.randint(1, 3), draw.randint(6, 9), draw.randint(6, 9))
    channels = shape[0]
    layers: list[nn.Module] = []
    for _ in range(draw.randint(1, 4)):
        layer, channels = drawn_layer(draw, channels)
        try:
            with torch.no_grad():
                nn.Sequential(*layers, layer)(torch.zeros(2, *shape))
        except RuntimeError:  # the image is used up
            channels = shape[0] if not layers else _channels(layers, shape)
            continue
        layers.append(layer)
    features = int(
        F.adaptive_avg_pool2d(nn.Sequential(*layers)(torch.zeros(2, *shape)), 1)[0].numel()
    )
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, 4))
    network = nn.Sequential(*layers, *head)
    prepare(network, draw.choice((0.0, 0.5, 0.9)))
    return network, shape


def _channels(layers: list[nn.Module], shape: tuple[int, int, int]) -> int:
    return int(nn.Sequential(*layers)(torch.zeros(2, *shape)).shape[1])


def prepare(network: nn.Module, sparsity: float) -> None:
    """Give BatchNorm statistics and numbers, and mask the weights at random."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.3)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.3, 2)  # type: ignore[arg-type]
            nn.init.normal_(module.weight, 1, 0.5)
            nn.init.normal_(module.bias, 0, 0.5)
    apply_(network, {n: torch.rand_like(w) >= sparsity for n, w in prunable(network).items()})
    network.eval()


def assert_lowered(network: nn.Module, shape: tuple[int, int, int], *, raw: bool) -> None:
    """Compare the plan with the network, on normalised or on `raw` pixels."""
    images = torch.rand(4, *shape)
    normalisation = Normalisation((0.4,) * shape[0], (0.3,) * shape[0]) if raw else None
    with torch.no_grad():
        expected = network((images - 0.4) / 0.3 if raw else images)
    lowered = lower(network, shape, normalise=normalisation)
    assert lowered.report.unknown == ()
    found = run(decode(encode(lowered.graph, {})).graph, images)
    largest = expected.abs().amax(1, keepdim=True).clamp(min=1e-3)
    assert float(((found - expected).abs() / largest).max()) <= 1e-4


@settings(max_examples=8, deadline=None)
@given(draw=st.randoms(use_true_random=False))
def test_a_drawn_network_is_lowered_to_what_it_computes(draw: random.Random) -> None:
    assert_lowered(*drawn_network(draw), raw=draw.random() < 0.3)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(draw=st.randoms(use_true_random=False))
def test_many_drawn_networks_are_lowered_to_what_they_compute(draw: random.Random) -> None:
    assert_lowered(*drawn_network(draw), raw=draw.random() < 0.3)
