"""Dead channels go, with all that made them, and what they added is in the biases after them."""

from __future__ import annotations

import torch
from torch import Tensor

from ticket.exporting.ir import (
    Act,
    Add,
    Affine,
    Concat,
    Conv,
    GlobalAvg,
    Graph,
    Linear,
    Op,
    Reshape,
    Shape,
    Slot,
    Unknown,
    Window,
)
from ticket.exporting.passes.constants import constants
from ticket.exporting.passes.dead import dead

PADDED = Window((3, 3), padding=(1, 1, 1, 1))


def linear(value: int, weight: list[list[float]], bias: list[float], act: Act = Act.NONE) -> Linear:
    return Linear(f"l{value}", value, value + 1, torch.tensor(weight), torch.tensor(bias), act=act)


def vectors(*ops: Op) -> Graph:
    """Return a graph of linear layers in a row."""
    shapes: list[Shape] = []
    for op in ops:
        assert isinstance(op, Linear)
        shapes = shapes or [(op.weight.shape[1],)]
        shapes.append((op.weight.shape[0],))
    return Graph(tuple(shapes), ops, (0,), (len(ops),))


def layers(graph: Graph) -> list[tuple[list[int], list[float] | None]]:
    """Return shape of the weights and bias of each layer."""
    return [
        (list(op.weight.shape), None if op.bias is None else op.bias.tolist())
        for op in graph.ops
        if isinstance(op, Conv | Linear)
    ]


def test_a_filter_of_zeros_is_its_bias_in_the_next_layer() -> None:
    first = linear(0, [[1, 0], [0, 0]], [0, 3], Act.RELU)
    graph = dead(vectors(first, linear(1, [[1, 10], [2, 20]], [0.5, 0])))
    assert layers(graph) == [([1, 2], None), ([2, 1], [30.5, 60])]


def test_an_activation_that_makes_it_zero_leaves_no_trace() -> None:
    first = linear(0, [[1, 0], [0, 0]], [0, -3], Act.RELU)
    graph = dead(vectors(first, linear(1, [[1, 10], [2, 20]], [0, 0])))
    assert layers(graph) == [([1, 2], None), ([2, 1], None)]


def test_death_goes_on_forwards_and_backwards() -> None:
    """Feature 1 of the second layer reads only a dead one; feature 1 of the first is read by none."""
    first = linear(0, [[1.0], [1.0], [0.0]], [0, 0, 2])
    second = linear(1, [[1, 0, 0], [0, 0, 4]], [0, 1])
    graph = dead(vectors(first, second, linear(2, [[1, 1]], [0])))
    assert layers(graph) == [([1, 1], None), ([1, 1], None), ([1, 1], [9.0])]


def convs(first_bias: list[float], window: Window) -> Graph:
    """Return two convolutions of 2 and 1 channels; channel 1 of the first is dead."""
    weight = torch.ones(2, 1, 1, 1)
    weight[1] = 0
    after = torch.ones(1, 2, *window.kernel)
    ops = (
        Conv("a", 0, 1, weight, Window((1, 1)), torch.tensor(first_bias)),
        Conv("b", 1, 2, after, window),
    )
    shape = (1, 5, 5) if window.padding[0] else (1, 3, 3)
    return Graph(((1, 5, 5), (2, 5, 5), shape), ops, (0,), (2,))


def test_a_convolution_without_padding_takes_a_dead_channel_into_its_bias() -> None:
    graph = dead(convs([0, 2], Window((3, 3))))
    assert layers(graph) == [([1, 1, 1, 1], None), ([1, 1, 3, 3], [18.0])]


def test_a_padded_convolution_keeps_a_channel_that_is_not_zero_beside_the_padding() -> None:
    assert layers(dead(convs([0, 2], PADDED)))[1] == ([1, 2, 3, 3], None)
    assert layers(dead(convs([0, 0], PADDED)))[1] == ([1, 1, 3, 3], None)


def test_channels_that_are_added_go_together_or_not_at_all() -> None:
    def graph(first: Tensor, second: Tensor) -> Graph:
        ops = (
            Linear("a", 0, 1, first),
            Linear("b", 0, 2, second),
            Add(1, 2, 3),
            Linear("c", 3, 4, torch.tensor([[1.0, 0.0]])),
        )
        return Graph(((2,), (2,), (2,), (2,), (1,)), ops, (0,), (4,))

    alive = torch.ones(2, 2)
    assert [shape for shape, _ in layers(dead(graph(alive, alive)))] == [[1, 2], [1, 2], [1, 1]]
    half = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    kept = dead(graph(half, alive))  # channel 0 of a is zero, but b's is needed
    assert [shape for shape, _ in layers(kept)] == [[1, 2], [1, 2], [1, 1]]
    assert [op.weight.count_nonzero() for op in kept.ops if isinstance(op, Linear)] == [0, 2, 1]


def test_a_depthwise_filter_takes_its_channel_with_it() -> None:
    pointwise = torch.ones(3, 1, 1, 1)
    pointwise[1] = 0
    depthwise = torch.ones(3, 1, 3, 3)
    ops = (
        Conv("a", 0, 1, pointwise, Window((1, 1))),
        Conv("b", 1, 2, depthwise, PADDED, torch.tensor([0.0, 5.0, 0.0]), groups=3),
        Conv("c", 2, 3, torch.ones(1, 3, 1, 1), Window((1, 1))),
    )
    shapes = ((1, 4, 4), (3, 4, 4), (3, 4, 4), (1, 4, 4))
    graph = dead(Graph(shapes, ops, (0,), (3,)))
    assert layers(graph) == [
        ([2, 1, 1, 1], None),
        ([2, 1, 3, 3], None),
        ([1, 2, 1, 1], [5.0]),
    ]
    assert [op.groups for op in graph.ops if isinstance(op, Conv)] == [1, 2, 1]


def test_channels_go_through_pools_reshapes_concatenation_and_affines() -> None:
    weight = torch.ones(2, 1, 1, 1)
    weight[0] = 0
    ops = (
        Conv("a", 0, 1, weight, Window((1, 1)), torch.tensor([3.0, 0.0])),
        Affine(1, 2, torch.tensor([2.0, 1.0]), torch.tensor([1.0, 0.0])),
        Concat((2, 0), 3),
        Reshape(3, 4),
        Linear("l", 4, 5, torch.ones(1, 12)),
    )
    shapes = ((1, 2, 2), (2, 2, 2), (2, 2, 2), (3, 2, 2), (12,), (1,))
    graph = dead(Graph(shapes, ops, (0,), (5,)))
    assert graph.values == ((1, 2, 2), (1, 2, 2), (1, 2, 2), (2, 2, 2), (8,), (1,))
    assert layers(graph) == [([1, 1, 1, 1], None), ([1, 8], [4 * 7.0])]


def test_what_an_unknown_operator_sees_stays_whole() -> None:
    unknown = Unknown("aten.silu.default", (1,), 2, (Slot(0),))
    ops = (Linear("a", 0, 1, torch.zeros(3, 2)), unknown, Linear("b", 2, 3, torch.zeros(1, 3)))
    graph = dead(Graph(((2,), (3,), (3,), (1,)), ops, (0,), (3,)))
    assert layers(graph) == [([3, 2], None), ([1, 3], None)]


def test_a_network_without_weights_keeps_a_channel_of_each_value() -> None:
    zero = dead(vectors(linear(0, [[0, 0]] * 3, [1, 2, 3]), linear(1, [[0, 0, 0]] * 2, [4, 5])))
    assert layers(zero) == [([1, 2], None), ([2, 1], [4, 5])]


def test_constants_follow_the_operations() -> None:
    weight = torch.zeros(2, 1, 1, 1)
    weight[1] = 1
    ops = (
        Conv("a", 0, 1, weight, Window((1, 1)), torch.tensor([-2.0, 1.0]), act=Act.RELU),
        Affine(1, 2, torch.tensor([4.0, 0.0]), torch.tensor([9.0, 6.0]), Act.RELU6),
        GlobalAvg(2, 3),
        Reshape(3, 4),
    )
    shapes = ((1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 1, 1), (2,))
    found = constants(Graph(shapes, ops, (0,), (4,)))
    assert found[1].nan_to_num(-1).tolist() == [0, -1]
    assert [found[value].tolist() for value in (2, 3, 4)] == [[6, 6]] * 3
