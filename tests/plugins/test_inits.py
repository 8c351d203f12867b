"""Initial weights for a mask have the variance that each neuron's own fan asks for."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from ticket.registry import installed
from ticket.uses import bind, read_use

MASK = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]], dtype=torch.bool)
INITS = [plugin.name for plugin in installed("inits")]


def drawn(mask: Tensor, seed: int = 0, **options: Any) -> Tensor:
    weight = torch.zeros(mask.shape)
    generator = torch.Generator().manual_seed(seed)
    bind(read_use("inits", {"name": "sparse_aware", **options}))(weight, mask, generator)
    return weight


FANS = {
    "fan_in": [[4, 4, 4, 4], [1, 1, 1, 1], [2, 2, 2, 2], [1, 1, 1, 1]],  # an empty row counts as 1
    "fan_out": [[2, 2, 2, 1]] * 4,
    "fan_avg": [[3, 3, 3, 2.5], [1.5, 1.5, 1.5, 1], [2, 2, 2, 1.5], [1, 1, 1, 1]],
}


@pytest.mark.slow
@pytest.mark.parametrize("mode", FANS)
@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_the_variance_is_the_scale_over_the_fan_of_the_mask(mode: str, distribution: str) -> None:
    options = {"mode": mode, "distribution": distribution, "scale": 3.0}
    samples = torch.stack([drawn(MASK, seed, **options) for seed in range(3000)])
    expected = 3.0 / torch.tensor(FANS[mode])
    assert torch.allclose(samples.var(0), expected, rtol=0.15)
    assert samples.mean(0).abs().max() < 0.15
    if distribution == "uniform":
        assert (samples.abs() <= (3 * expected).sqrt() + 1e-6).all()


def test_a_full_mask_gives_hes_initialisation_of_a_convolution() -> None:
    weight = drawn(torch.ones(64, 16, 3, 3, dtype=torch.bool))
    assert float(weight.var()) == pytest.approx(2 / (16 * 9), rel=0.03)


def test_a_convolutions_fan_counts_taps() -> None:
    mask = torch.zeros(2, 50, 2, 2, dtype=torch.bool)
    mask[0, :, 0, 0] = True
    mask[1] = True
    weight = drawn(mask)
    assert float(weight[0].var()) == pytest.approx(2 / 50, rel=0.3)
    assert float(weight[1].var()) == pytest.approx(2 / 200, rel=0.3)


def test_a_layer_is_scaled_by_the_root_of_its_density() -> None:
    weight = torch.full((4, 4), 3.0)
    bind(read_use("inits", "layer_scaled"))(weight, MASK, torch.Generator())
    assert torch.allclose(weight, torch.full((4, 4), 3.0 / math.sqrt(7 / 16)))


@pytest.mark.parametrize("name", INITS)
def test_every_initialisation_is_finite_whatever_the_mask(name: str) -> None:
    for mask in (MASK, torch.zeros(3, 2, 3, 3, dtype=torch.bool)):
        results = []
        for _ in range(2):
            weight = torch.ones(mask.shape)
            bind(read_use("inits", name))(weight, mask, torch.Generator().manual_seed(1))
            assert weight.isfinite().all()
            results.append(weight)
        assert torch.equal(*results)


def test_a_sparse_layer_passes_its_signal_on_as_a_dense_one() -> None:
    """Five layers of 200 units at a tenth of the weights: Glorot's draw would lose the signal."""
    generator = torch.Generator().manual_seed(2)
    signal = dense = torch.randn(200, 500, generator=generator)
    for layer in range(5):
        mask = torch.rand(200, 200, generator=generator) < 0.1
        signal = ((drawn(mask, layer) * mask) @ signal).relu()
        dense = ((drawn(torch.ones_like(mask), layer) * mask) @ dense).relu()
    assert 0.3 < float(signal.square().mean()) < 1.5
    assert float(dense.square().mean()) < 1e-4


@pytest.mark.parametrize("option", [{"mode": "fanin"}, {"scale": 0}, {"distribution": "gauss"}])
def test_impossible_options_are_refused(option: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="wants"):
        read_use("inits", {"name": "sparse_aware", **option})
