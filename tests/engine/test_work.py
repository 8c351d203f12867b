"""How often a weight is used is counted by what the layers give, held against a count by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ticket.work import weight_uses


@pytest.mark.parametrize(
    ("layer", "shape", "uses"),
    [
        (nn.Conv2d(1, 3, 3), (1, 8, 8), 36),  # 6 x 6 positions
        (nn.Conv2d(4, 4, 3, padding=1, stride=2, groups=2), (4, 8, 8), 16),
        (nn.Conv2d(1, 2, 1), (1, 5, 4), 20),
        (nn.ConvTranspose2d(1, 2, 2, stride=2), (1, 4, 4), 16),  # of the input
        (nn.Sequential(nn.Flatten(), nn.Linear(6, 5)), (1, 2, 3), 1),
        (nn.Linear(3, 5), (1, 2, 3), 2),  # the last dimension alone
    ],
)
def test_a_layer_uses_its_weights_at_every_position(
    layer: nn.Module, shape: tuple[int, ...], uses: int
) -> None:
    assert list(weight_uses(layer, torch.ones(2, *shape)).values()) == [uses]


def test_multiply_adds_are_those_that_torch_counts() -> None:
    """torch's own counter of floating-point operations: two a multiply-add."""
    from torch.utils.flop_counter import FlopCounterMode

    network = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, stride=2),
        nn.Flatten(), nn.Linear(36, 3),
    )  # fmt: skip
    images = torch.ones(2, 2, 8, 8)
    sizes = {name: weight.numel() for name, weight in network.named_parameters()}
    with FlopCounterMode(display=False) as counter:
        network.eval()(images)
    found = sum(sizes[name] * uses for name, uses in weight_uses(network, images).items())

    assert 2 * 2 * found == counter.get_total_flops()


def test_a_layer_that_runs_twice_counts_twice_and_nothing_is_changed() -> None:
    layer = nn.Linear(4, 4)
    network = nn.Sequential(nn.Flatten(), layer, nn.BatchNorm1d(4), layer)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    drawn = torch.get_rng_state()

    assert weight_uses(network, torch.ones(2, 1, 2, 2)) == {"1.weight": 2.0}
    assert network.training
    assert all(torch.equal(t, before[name]) for name, t in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), drawn)
    assert not layer._forward_hooks
