"""A plan's size is near what the positions and values of its weights need at least."""

from __future__ import annotations

from math import log2

import pytest
import torch

from ticket.exporting.encode import encode
from ticket.exporting.entropy import bound, entropy, measure
from ticket.exporting.ir import Conv, Graph, Linear, Reshape, Window
from ticket.exporting.passes.rounding import round_weights
from ticket.exporting.value_type import ValueType


def network(density: float) -> Graph:
    """Return a 3x3 convolution of 64 channels and a linear layer, 37,504 weights in all."""
    torch.manual_seed(0)
    conv = torch.randn(64, 64, 3, 3) * (torch.rand(64, 64, 3, 3) < density)
    linear = torch.randn(10, 64) * (torch.rand(10, 64) < density)
    ops = (
        Conv("conv", 0, 1, conv, Window((3, 3)), torch.ones(64)),
        Linear("linear", 2, 3, linear, torch.ones(10)),
    )
    return Graph(
        ((64, 3, 3), (64, 1, 1), (64,), (10,)), (ops[0], Reshape(1, 2), ops[1]), (0,), (3,)
    )


def test_entropy_is_that_of_a_coin() -> None:
    assert entropy(0.5) == 1
    assert entropy(0.0) == entropy(1.0) == 0
    assert entropy(0.1) == pytest.approx(-0.1 * log2(0.1) - 0.9 * log2(0.9))


def test_the_bound_counts_positions_and_values_of_each_layer() -> None:
    weight = torch.tensor([[1.0, 0, 0, 0], [0, 0, 2.0, 0]])
    graph = Graph(((4,), (2,)), (Linear("l", 0, 1, weight, torch.ones(2)),), (0,), (1,))
    assert bound(graph) == pytest.approx(8 * entropy(0.25) / 8 + 2 * 4)
    assert bound(graph, ValueType.BF16) == pytest.approx(8 * entropy(0.25) / 8 + 2 * 2)


@pytest.mark.parametrize("values", ValueType)
@pytest.mark.parametrize("density", [0.1, 0.05, 0.02])
def test_a_sparse_plan_is_within_a_tenth_of_the_bound(density: float, values: ValueType) -> None:
    graph = round_weights(network(density), values)
    size = measure(encode(graph, {}, values))
    assert size.bound == pytest.approx(bound(graph, values))
    assert 1 <= size.ratio <= 1.04
    assert size.biases == 4 * 74
    assert size.container < 250
    assert size.plan == size.weights + size.biases + size.container
    assert size.plan <= 1.1 * size.bound + 74 * 4 + 250
