"""Normalisation, activations and sums disappear into the layers before them, and only where they may."""

from __future__ import annotations

import pytest
import torch

from ticket.errors import TicketError
from ticket.exporting.ir import (
    Act,
    Activate,
    Add,
    Affine,
    BatchNorm,
    Conv,
    Graph,
    Linear,
    MaxPool,
    Op,
    Reshape,
    Shape,
    Window,
)
from ticket.exporting.passes.choose import choose
from ticket.exporting.passes.fold import fold
from ticket.exporting.passes.fuse import fuse
from ticket.exporting.passes.normalise import Normalisation, normalise
from ticket.exporting.passes.rounding import round_weights
from ticket.exporting.passes.strides import strides
from ticket.exporting.value_type import ValueType

PIXEL = Window((1, 1))


def chain(*ops: Op, shape: Shape = (1, 2, 2)) -> Graph:
    """Return a graph whose values all have one shape, the last one its output."""
    return Graph((shape,) * (len(ops) + 1), ops, (0,), (ops[-1].output,))


def pixelwise(value: int, output: int, weight: float = 2.0, bias: float | None = None) -> Conv:
    """Return a 1x1 convolution of one channel: weight * x + bias."""
    given = None if bias is None else torch.tensor([bias])
    return Conv(f"c{output}", value, output, torch.full((1, 1, 1, 1), weight), PIXEL, given)


def norm(value: int, output: int) -> BatchNorm:
    """Return (x - 1) / 2 * 3 + 5 = 1.5 x + 3.5."""
    mean, variance, scale, shift = (torch.tensor([n]) for n in (1.0, 4.0, 3.0, 5.0))
    return BatchNorm(value, output, mean, variance, scale, shift, eps=0.0)


def test_batch_norm_becomes_weights_and_bias() -> None:
    (conv,) = fold(chain(pixelwise(0, 1, bias=10.0), norm(1, 2))).ops
    assert isinstance(conv, Conv)
    assert conv.weight.item() == 3.0  # 2 * 1.5
    assert conv.bias is not None
    assert conv.bias.item() == 18.5  # 10 * 1.5 + 3.5
    assert conv.fused == ("batchnorm",)


def test_a_masked_weight_stays_plus_zero_under_a_negative_scale() -> None:
    scale = Affine(1, 2, torch.tensor([-3.0]), torch.tensor([1.0]))
    (conv,) = fold(chain(pixelwise(0, 1, weight=0.0), scale)).ops
    assert isinstance(conv, Conv)
    assert conv.weight.view(torch.int32).item() == 0


def test_batch_norm_after_a_linear_layer_folds_too() -> None:
    linear = Linear("l", 0, 1, torch.tensor([[2.0]]))
    (folded,) = fold(chain(linear, norm(1, 2), shape=(1,))).ops
    assert isinstance(folded, Linear)
    assert (folded.weight.item(), folded.bias) == (3.0, torch.tensor([3.5]))


def test_batch_norm_stays_an_affine_where_another_reads_the_layer() -> None:
    graph = fold(chain(pixelwise(0, 1), norm(1, 2), Add(1, 2, 3)))
    conv, affine, _ = graph.ops
    assert isinstance(conv, Conv)
    assert isinstance(affine, Affine)
    assert conv.weight.item() == 2.0
    assert (affine.scale.item(), affine.shift.item()) == (1.5, 3.5)


def test_batch_norm_does_not_pass_an_activation() -> None:
    graph = fold(chain(pixelwise(0, 1), Activate(1, 2, Act.RELU), norm(2, 3)))
    assert [type(op) for op in graph.ops] == [Conv, Activate, Affine]


def test_affines_in_a_row_are_one() -> None:
    (affine,) = fold(chain(norm(0, 1), norm(1, 2))).ops
    assert isinstance(affine, Affine)
    assert (affine.scale.item(), affine.shift.item()) == (2.25, 8.75)


def test_a_layer_a_sum_and_an_activation_are_one_operation() -> None:
    graph = fuse(chain(pixelwise(0, 1), Add(1, 0, 2), Activate(2, 3, Act.RELU)))
    (conv,) = graph.ops
    assert isinstance(conv, Conv)
    assert (conv.input, conv.residual, conv.act) == (0, 0, Act.RELU)
    assert conv.fused == ("add", "relu")


def test_of_two_layers_the_later_one_takes_the_sum() -> None:
    graph = fuse(chain(pixelwise(0, 1), pixelwise(0, 2), Add(1, 2, 3)))
    first, second = graph.ops
    assert isinstance(first, Conv)
    assert isinstance(second, Conv)
    assert (first.residual, second.residual) == (None, first.output)


def test_a_sum_does_not_go_into_an_activated_or_shared_layer() -> None:
    activated = chain(pixelwise(0, 1), Activate(1, 2, Act.RELU), Add(2, 0, 3))
    assert [type(op) for op in fuse(activated).ops] == [Conv, Add]
    doubled = chain(pixelwise(0, 1), Add(1, 1, 2))
    assert [type(op) for op in fuse(doubled).ops] == [Conv, Add]


def test_one_activation_after_another_is_the_narrower() -> None:
    for first, second in ((Act.RELU, Act.RELU6), (Act.RELU6, Act.RELU)):
        ops = (pixelwise(0, 1), Activate(1, 2, first), Activate(2, 3, second))
        (conv,) = fuse(chain(*ops)).ops
        assert isinstance(conv, Conv)
        assert conv.act is Act.RELU6


def test_an_activation_moves_before_a_max_pool_and_a_reshape() -> None:
    shapes = ((1, 2, 2), (1, 2, 2), (1, 1, 1), (1,), (1,))
    pool = MaxPool(1, 2, Window((2, 2), (2, 2)))
    ops = (pixelwise(0, 1), pool, Reshape(2, 3), Activate(3, 4, Act.RELU))
    conv, *others = fuse(Graph(shapes, ops, (0,), (4,))).ops
    assert isinstance(conv, Conv)
    assert conv.act is Act.RELU
    assert [type(op) for op in others] == [MaxPool, Reshape]


def test_reshapes_in_a_row_are_one_and_those_that_change_nothing_go() -> None:
    shapes = ((1, 2, 2), (1, 2, 2), (4,), (2, 2, 1), (2, 2, 1), (1, 2, 2))
    ops = (pixelwise(0, 1), Reshape(1, 2), Reshape(2, 3), Reshape(3, 4))
    _, reshape = fuse(Graph(shapes[:5], ops, (0,), (4,))).ops
    assert isinstance(reshape, Reshape)
    (conv,) = fuse(Graph(shapes, (*ops, Reshape(4, 5)), (0,), (5,))).ops
    assert isinstance(conv, Conv)


def test_the_stride_of_a_pixel_pool_goes_to_the_pixel_convolution_after_it() -> None:
    rows = MaxPool(0, 1, Window((1, 1), (2, 1)))
    columns = MaxPool(1, 2, Window((1, 1), (1, 3)))
    conv = Conv("c", 2, 3, torch.ones(1, 1, 1, 1), Window((1, 1), (2, 1)))
    shapes = ((1, 8, 9), (1, 4, 9), (1, 4, 3), (1, 2, 3))
    (strided,) = strides(Graph(shapes, (rows, columns, conv), (0,), (3,))).ops
    assert isinstance(strided, Conv)
    assert strided.window.stride == (4, 3)


def test_pixels_are_normalised_in_the_first_layer_where_it_has_no_padding() -> None:
    normalisation = Normalisation((0.5,), (0.25,), scale=1 / 255)
    (conv,) = normalise(chain(pixelwise(0, 1, bias=1.0)), normalisation).ops
    assert isinstance(conv, Conv)
    assert conv.weight.item() == pytest.approx(2 * 4 / 255)
    assert conv.bias is not None
    assert conv.bias.item() == pytest.approx(2 * -2 + 1)


def test_a_padded_first_layer_gets_an_affine_before_it() -> None:
    window = Window((3, 3), padding=(1, 1, 1, 1))
    conv = Conv("c", 0, 1, torch.ones(1, 1, 3, 3), window)
    graph = normalise(chain(conv), Normalisation((0.5,), (0.25,)))
    affine, after = graph.ops
    assert isinstance(affine, Affine)
    assert (affine.scale.item(), affine.shift.item()) == (4.0, -2.0)
    assert after.output == graph.outputs[0]


@pytest.mark.parametrize(
    ("normalisation", "wrong"),
    [
        (Normalisation((0.5, 0.5), ()), "2 numbers of mean for images of 1 channels"),
        (Normalisation((), (0.0,)), r"std \(0.0,\) is not all above 0"),
    ],
)
def test_normalisation_that_does_not_fit_is_refused(
    normalisation: Normalisation, wrong: str
) -> None:
    with pytest.raises(TicketError, match=wrong):
        normalise(chain(pixelwise(0, 1)), normalisation)


@pytest.mark.parametrize(
    ("shape", "groups", "density", "dense"),
    [
        ((64, 64, 3, 3), 1, 0.8, True),
        ((64, 64, 3, 3), 1, 0.6, False),
        ((64, 3, 3, 3), 1, 1.0, False),  # 27 weights a filter
        ((64, 1, 3, 3), 64, 1.0, False),  # depthwise
        ((100, 300), 0, 0.6, True),
        ((100, 300), 0, 0.4, False),
        ((10, 10), 0, 1.0, False),
    ],
)
def test_wide_layers_with_many_weights_are_dense(
    shape: tuple[int, ...], groups: int, density: float, dense: bool
) -> None:
    weight = torch.ones(shape)
    weight.view(-1)[int(density * weight.numel()) :] = 0
    op: Op = Linear("l", 0, 1, weight)
    if groups:
        op = Conv("c", 0, 1, weight, Window((3, 3)), groups=groups)
    (chosen,) = choose(Graph((), (op,), (), ())).ops
    assert isinstance(chosen, Conv | Linear)
    assert chosen.dense is dense


def test_weights_are_rounded_and_those_too_small_vanish() -> None:
    graph = chain(Linear("l", 0, 1, torch.tensor([[1 / 3, -1e-9], [0.0, 2.0]])), shape=(2,))
    (rounded,) = round_weights(graph, ValueType.FP16).ops
    assert isinstance(rounded, Linear)
    third = torch.tensor(1 / 3).half().item()
    assert rounded.weight.tolist() == [[third, 0.0], [0.0, 2.0]]
    assert rounded.weight.view(torch.int32)[0, 1].item() == 0  # not -0.0


def test_weights_that_do_not_fit_name_the_layer() -> None:
    graph = chain(Linear("fc", 0, 1, torch.tensor([[70_000.0]])), shape=(1,))
    with pytest.raises(TicketError, match="linear fc: a weight of 70000 does not fit fp16; use bf"):
        round_weights(graph, ValueType.FP16)
    graph = chain(pixelwise(0, 1, weight=float("nan")))
    with pytest.raises(TicketError, match="conv c1: its weight holds numbers that are not finite"):
        round_weights(graph, ValueType.FP32)
