"""Every pass leaves what any graph computes as it was, and a plan's bytes are the graph again."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ticket.exporting.checking import check
from ticket.exporting.decode import decode
from ticket.exporting.encode import encode
from ticket.exporting.ir import (
    Act,
    Activate,
    Add,
    Affine,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    GlobalAvg,
    GlobalMax,
    Graph,
    Linear,
    MaxPool,
    Mul,
    Op,
    Pad,
    Reshape,
    Shape,
    Slot,
    Unknown,
    Window,
)
from ticket.exporting.passes.choose import choose
from ticket.exporting.passes.dead import dead
from ticket.exporting.passes.fold import fold
from ticket.exporting.passes.fuse import fuse
from ticket.exporting.passes.normalise import Normalisation, normalise
from ticket.exporting.passes.rounding import round_weights
from ticket.exporting.passes.strides import strides
from ticket.exporting.reference import run
from ticket.exporting.shapes import infer
from ticket.exporting.value_type import ValueType


class Drawing:
    """Draw a graph: operations over values drawn before, weights with zeros and whole dead filters."""

    def __init__(self, draw: random.Random, *, plain: bool = False) -> None:
        self.draw = draw
        self.plain = plain  # nothing that only a captured graph has
        self.tensors = torch.Generator().manual_seed(draw.randrange(2**31))
        channels = draw.randint(1, 4)
        self.values: list[Shape] = [(channels, draw.randint(1, 7), draw.randint(1, 7))]
        self.ops: list[Op] = []

    def graph(self) -> Graph:
        for _ in range(self.draw.randint(1, 8)):
            self.step()
        if not self.ops:
            self.write(lambda output: Reshape(0, output), self.values[0])
        last = len(self.values) - 1
        return check(Graph(tuple(self.values), tuple(self.ops), (0,), (last,)))

    def write(self, make: Callable[[int], Op], shape: Shape | None = None) -> None:
        output = len(self.values)
        op = make(output)
        inferred = infer(op, self.values.__getitem__) if shape is None else shape
        assert inferred is not None
        self.values.append(inferred)
        self.ops.append(op)

    def value(self) -> int:
        """Draw a value, the last one mostly."""
        last = len(self.values) - 1
        return last if self.draw.random() < 0.7 else self.draw.randint(0, last)

    def numbers(self, *shape: int) -> Tensor:
        drawn = torch.randn(shape, generator=self.tensors)
        return drawn * (torch.rand(shape, generator=self.tensors) < self.draw.choice((0.3, 1.0)))

    def weight(self, *shape: int) -> Tensor:
        drawn = self.numbers(*shape) / float(prod(shape[1:])) ** 0.5
        alive = torch.rand(shape[0], generator=self.tensors) < self.draw.choice((0.5, 1.0))
        reads = torch.rand(shape[1], generator=self.tensors) < self.draw.choice((0.5, 1.0))
        ones = (1,) * (len(shape) - 2)
        weight: Tensor = drawn * alive.reshape(-1, 1, *ones) * reads.reshape(1, -1, *ones)
        return weight

    def bias(self, channels: int) -> Tensor | None:
        return self.numbers(channels) if self.draw.random() < 0.6 else None

    def act(self) -> Act:
        return self.draw.choice((Act.NONE, Act.NONE, Act.RELU, Act.RELU6))

    def padding(self, most: int = 2) -> tuple[int, int, int, int]:
        if self.draw.random() < 0.4:
            return (0, 0, 0, 0)
        top, left, bottom, right = (self.draw.randint(0, most) for _ in range(4))
        return (top, left, bottom, right)

    def step(self) -> None:
        value = self.value()
        shape = self.values[value]
        if len(shape) == 1:
            self.draw.choice((self.linear, self.linear, self.pointwise, self.pair))(value)
            return
        kinds = (self.conv, self.conv, self.conv, self.pool, self.pointwise, self.pointwise)
        others = (self.pair, self.pair, self.whole, self.reshape, self.pad)
        self.draw.choice((*kinds, *others))(value)

    def conv(self, value: int) -> None:
        channels, height, width = self.values[value]
        kernel = (self.draw.randint(1, 3), self.draw.randint(1, 3))
        padding = self.padding()
        dilation = (self.draw.choice((1, 1, 2)), 1)
        if (kernel[0] - 1) * dilation[0] + 1 > height + padding[0] + padding[2]:
            return
        if kernel[1] > width + padding[1] + padding[3]:
            return
        stride = (self.draw.randint(1, 2), self.draw.randint(1, 2))
        window = Window(kernel, stride, padding, dilation)
        kind = self.draw.choice(("full", "full", "full", "depthwise", "grouped"))
        groups = channels if kind == "depthwise" else 2 if channels % 2 == 0 else 1
        groups = 1 if kind == "full" else groups
        out = channels if kind == "depthwise" else groups * self.draw.randint(1, 3)
        weight = self.weight(out, channels // groups, *kernel)
        bias, act, name = self.bias(out), self.act(), f"conv{len(self.ops)}"
        residual = None
        if self.draw.random() < 0.2:
            made = infer(
                Conv(name, value, 0, weight, window, bias, groups), self.values.__getitem__
            )
            same = [number for number, shape in enumerate(self.values) if shape == made]
            residual = self.draw.choice(same) if same else None
        self.write(
            lambda output: Conv(name, value, output, weight, window, bias, groups, residual, act)
        )

    def linear(self, value: int) -> None:
        (features,) = self.values[value]
        out = self.draw.randint(1, 5)
        weight, bias, act = self.weight(out, features), self.bias(out), self.act()
        name = f"linear{len(self.ops)}"
        self.write(lambda output: Linear(name, value, output, weight, bias, act=act))

    def pool(self, value: int) -> None:
        _, height, width = self.values[value]
        kernel = (self.draw.randint(1, min(3, height)), self.draw.randint(1, min(3, width)))
        padding = (kernel[0] // 2, kernel[1] // 2, 0, 0)
        stride = (self.draw.randint(1, 2), self.draw.randint(1, 2))
        window = Window(kernel, stride, self.draw.choice((padding, (0, 0, 0, 0))))
        counts = self.draw.random() < 0.5
        if self.draw.random() < 0.5:
            self.write(lambda output: MaxPool(value, output, window))
        else:
            self.write(lambda output: AvgPool(value, output, window, counts))

    def pointwise(self, value: int) -> None:
        channels = self.values[value][0]
        act = self.act()
        scale, shift = self.numbers(channels), self.numbers(channels)
        kind = self.draw.choice(("act", "affine", "batchnorm"))
        if kind == "act":
            self.write(lambda output: Activate(value, output, act))
        elif kind == "affine" or self.plain:
            self.write(lambda output: Affine(value, output, scale, shift, act))
        else:
            mean, variance = self.numbers(channels), self.numbers(channels).abs() + 0.5
            self.write(lambda output: BatchNorm(value, output, mean, variance, scale, shift, 1e-5))

    def pair(self, value: int) -> None:
        shape = self.values[value]
        same = [number for number, other in enumerate(self.values) if other == shape]
        other, act = self.draw.choice(same), self.act()
        kind = self.draw.choice(("add", "add", "mul", "concat"))
        if kind == "add":
            self.write(lambda output: Add(value, other, output, act))
        elif kind == "concat":
            beside = [n for n, o in enumerate(self.values) if o[1:] == shape[1:]]
            joined = (value, self.draw.choice(beside))
            self.write(lambda output: Concat(joined, output))
        else:
            gates = [n for n, o in enumerate(self.values) if o == (shape[0], 1, 1)]
            gate = self.draw.choice(gates) if gates and len(shape) == 3 else other
            self.write(lambda output: Mul(value, gate, output, act))

    def whole(self, value: int) -> None:
        make = self.draw.choice((GlobalAvg, GlobalMax))
        self.write(lambda output: make(value, output))

    def reshape(self, value: int) -> None:
        channels, height, width = self.values[value]
        flat = (channels * height * width,)
        shape = self.draw.choice((flat, flat, (*flat, 1, 1), (channels * height, width, 1)))
        self.write(lambda output: Reshape(value, output), shape)

    def pad(self, value: int) -> None:
        if self.draw.random() < 0.3 and not self.plain:
            name = "aten.sigmoid.default"
            self.write(
                lambda output: Unknown(name, (value,), output, (Slot(0),)), self.values[value]
            )
            return
        padding, filling = self.padding(), self.draw.choice((0.0, 0.0, 1.5))
        self.write(lambda output: Pad(value, output, padding, filling))


def images_for(graph: Graph, seed: int = 0) -> Tensor:
    shape = graph.values[0]
    assert shape is not None
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(seed))


def assert_same(before: Graph, after: Graph, tolerance: float = 1e-6) -> None:
    """Compare in float64: what is left is the rounding of folded weights to float32."""
    check(after)
    images = images_for(before)
    expected = run(before, images, dtype=torch.float64)
    found = run(after, images, dtype=torch.float64)
    largest = max(1.0, float(expected.abs().max()))
    assert float((found - expected).abs().max()) <= tolerance * largest


def lowered(graph: Graph) -> Graph:
    return choose(dead(round_weights(fuse(strides(fold(graph))), ValueType.FP32)))


PASSES = {
    "fold": fold,
    "strides": strides,
    "fuse": fuse,
    "dead": dead,
    "choose": choose,
    "all": lowered,
}
RANDOM = st.randoms(use_true_random=False)


@pytest.mark.parametrize("name", PASSES)
@settings(max_examples=60, deadline=None)
@given(draw=RANDOM)
def test_a_pass_leaves_what_a_graph_computes_as_it_was(name: str, draw: random.Random) -> None:
    graph = Drawing(draw).graph()
    assert_same(graph, PASSES[name](graph))


@pytest.mark.slow
@pytest.mark.parametrize("name", PASSES)
@settings(max_examples=400, deadline=None)
@given(draw=RANDOM)
def test_a_pass_leaves_any_of_many_graphs_as_it_was(name: str, draw: random.Random) -> None:
    graph = Drawing(draw).graph()
    assert_same(graph, PASSES[name](graph))


@settings(max_examples=40, deadline=None)
@given(draw=RANDOM)
def test_normalising_pixels_equals_a_graph_fed_normalised_images(draw: random.Random) -> None:
    graph = Drawing(draw).graph()
    channels = graph.values[0][0] if graph.values[0] else 0
    mean = tuple(draw.uniform(-1, 1) for _ in range(channels))
    std = tuple(draw.uniform(0.5, 2) for _ in range(channels))
    taken = normalise(graph, Normalisation(mean, std, scale=0.25))
    images = images_for(graph).double()
    fed = (images * 0.25 - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)
    expected = run(graph, fed, dtype=torch.float64)
    found = run(taken, images, dtype=torch.float64)
    largest = max(1.0, float(expected.abs().max()))
    assert float((found - expected).abs().max()) <= 2e-6 * largest


@settings(max_examples=60, deadline=None)
@given(draw=RANDOM, values=st.sampled_from(ValueType))
def test_a_plans_bytes_are_the_graph_again(draw: random.Random, values: ValueType) -> None:
    graph = round_weights(lowered(Drawing(draw, plain=True).graph()), values)
    data = encode(graph, {"model": "drawn"}, values)
    plan = decode(data)
    assert plan.metadata == {"model": "drawn"}
    assert encode(plan.graph, plan.metadata, values) == data
    images = images_for(graph)
    assert run(plan.graph, images).equal(run(graph, images))
