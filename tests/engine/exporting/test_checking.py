"""An inconsistent graph is refused with what is wrong with it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ticket.errors import TicketError
from ticket.exporting.checking import check
from ticket.exporting.ir import (
    Add,
    Affine,
    AvgPool,
    Concat,
    Conv,
    GlobalAvg,
    Graph,
    Linear,
    MaxPool,
    Mul,
    Op,
    Pad,
    Reshape,
    Shape,
    Window,
)

IMAGE = (2, 4, 4)
ONE = torch.ones(1, 2, 1, 1)


def graph(op: Op, *shapes: Shape | None) -> Graph:
    return Graph(shapes, (op,), (0,), (op.output,))


def conv(weight: Tensor = ONE, groups: int = 1, bias: Tensor | None = None) -> Conv:
    window = Window((weight.shape[2], weight.shape[3]))
    return Conv("c", 0, 1, weight, window, bias, groups)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (graph(Reshape(1, 1), IMAGE, IMAGE), "reshape reads value 1 before anything writes it"),
        (graph(Reshape(0, 0), IMAGE), "value 0 is written twice"),
        (graph(Reshape(0, 5), IMAGE, IMAGE), "there is no value 5; there are 2"),
        (Graph((IMAGE, IMAGE), (), (0,), (0,)), "nothing writes value 1"),
        (Graph((IMAGE,), (), (0, 0), (0,)), "an input is there twice"),
        (graph(Reshape(0, 1), IMAGE, (0, 4, 4)), r"value 1 is \(0, 4, 4\); sizes are 1 and more"),
        (graph(Reshape(0, 1), IMAGE, (31,)), "reshape makes 31 of 2x4x4"),
        (graph(Reshape(0, 1), IMAGE, None), "uses value 1, neither an image nor a vector"),
        (graph(Reshape(0, 1), IMAGE, (8, 4)), "uses value 1, neither an image nor a vector"),
        (graph(conv(), (3, 4, 4), (1, 4, 4)), "reads 3 channels, its weights take 2 in each of 1"),
        (graph(conv(), IMAGE, (2, 4, 4)), "conv makes 1x4x4, but value 1 is 2x4x4"),
        (graph(conv(torch.ones(1, 2, 5, 1)), IMAGE, IMAGE), "kernel larger than the image 4x4"),
        (graph(conv(bias=torch.ones(7)), IMAGE, (1, 4, 4)), r"makes 1 channels, its bias has \(7,\)"),
        (graph(conv(ONE, 2), IMAGE, (1, 4, 4)), "2 in each of 2 groups and make 1"),
        (graph(Linear("l", 0, 1, torch.ones(3, 2)), IMAGE, (3,)), "linear l reads 2x4x4"),
        (graph(GlobalAvg(0, 1), (2,), (2, 1, 1)), "takes an image, not a vector of 2"),
        (graph(Affine(0, 1, torch.ones(3), torch.ones(2)), IMAGE, IMAGE), r"but has \(3,\) numbers"),
        (graph(Pad(0, 1, (0, 0, -1, 0)), IMAGE, (2, 3, 4)), "has negative padding"),
        (graph(MaxPool(0, 1, Window((2, 2), (0, 1))), IMAGE, IMAGE), "has an impossible Window"),
        (graph(MaxPool(0, 1, Window((2, 2), padding=(2, 0, 0, 0))), IMAGE, IMAGE), "in the padding"),
        (graph(MaxPool(0, 1, Window((1, 1), padding=(0, 0, 1, 0))), IMAGE, IMAGE), "in the padding"),
        (graph(AvgPool(0, 1, Window((2, 2), dilation=(2, 1))), IMAGE, IMAGE), "an average has none"),
        (graph(Concat((), 1), IMAGE, IMAGE), "joins nothing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(wrong: Graph, message: str) -> None:
    with pytest.raises(TicketError, match=message):
        check(wrong)


@pytest.mark.parametrize(
    ("op", "left", "right", "message"),
    [
        (Add(0, 1, 2), IMAGE, (2, 1, 1), "add value 2 reads 2x4x4 and 2x1x1"),
        (Mul(0, 1, 2), (2, 1, 1), IMAGE, "mul value 2 reads 2x1x1 and 2x4x4"),
        (Concat((0, 1), 2), IMAGE, (2, 4, 3), "joins 2x4x4, 2x4x3"),
        (Concat((0, 1), 2), IMAGE, (2,), "joins 2x4x4, 2"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(op: Op, left: Shape, right: Shape, message: str) -> None:
    pair = Graph((left, right, left), (op,), (0, 1), (2,))
    with pytest.raises(TicketError, match=message):
        check(pair)


def test_a_product_takes_one_number_a_channel() -> None:
    pair = Graph((IMAGE, (2, 1, 1), IMAGE), (Mul(0, 1, 2),), (0, 1), (2,))
    assert check(pair) is pair
