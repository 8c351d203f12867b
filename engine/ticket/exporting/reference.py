"""A graph run by plain torch operations: the second opinion on passes, plans and the executor."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F  # noqa: N812 - the name every reader of torch code expects
from torch import Tensor

from ticket.exporting.calling import called
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
    Unknown,
)


@torch.no_grad()
def run(graph: Graph, images: Tensor, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return the output `[N, ...]` for `images` `[N, C, H, W]`, computed in `dtype`.

    Raises TicketError when an unknown operator cannot be found in this torch.
    """
    values: dict[int, Tensor] = {graph.inputs[0]: images.to(dtype)}
    for op in graph.ops:
        values[op.output] = _result(graph, op, values, dtype)
    return values[graph.outputs[0]]


def _result(graph: Graph, op: Op, values: dict[int, Tensor], dtype: torch.dtype) -> Tensor:
    match op:
        case Conv():
            return _finished(op, _convolved(op, values[op.input], dtype), values)
        case Linear():
            bias = None if op.bias is None else op.bias.to(dtype)
            return _finished(op, F.linear(values[op.input], op.weight.to(dtype), bias), values)
        case MaxPool():
            x = _bordered(values[op.input], op.window.padding, float("-inf"))
            w = op.window
            return F.max_pool2d(x, w.kernel, w.stride, dilation=w.dilation)
        case AvgPool():
            return _averaged(op, values[op.input])
        case GlobalAvg():
            return values[op.input].mean((2, 3), keepdim=True)
        case GlobalMax():
            return values[op.input].amax((2, 3), keepdim=True)
        case Add():
            return _activated(values[op.left] + values[op.right], op.act)
        case Mul():
            return _activated(values[op.left] * values[op.right], op.act)
        case Activate():
            return _activated(values[op.input], op.act)
        case Affine():
            x = values[op.input]
            scaled = x * _along(op.scale.to(dtype), x) + _along(op.shift.to(dtype), x)
            return _activated(scaled, op.act)
        case Pad():
            return _bordered(values[op.input], op.padding, op.value)
        case Concat():
            return torch.cat([values[value] for value in op.inputs], 1)
        case BatchNorm():
            tensors = (op.mean, op.variance, op.scale, op.shift)
            mean, variance, scale, shift = (None if t is None else t.to(dtype) for t in tensors)
            return F.batch_norm(values[op.input], mean, variance, scale, shift, eps=op.eps)
        case Unknown():
            return _called(op, values, dtype)
        case _:
            shape = graph.values[op.output]
            assert shape is not None  # checked: a reshape makes an image or a vector
            return values[op.input].reshape(-1, *shape)


def _convolved(op: Conv, x: Tensor, dtype: torch.dtype) -> Tensor:
    bias = None if op.bias is None else op.bias.to(dtype)
    w = op.window
    padded = _bordered(x, w.padding, 0.0)
    return F.conv2d(
        padded, op.weight.to(dtype), bias, w.stride, dilation=w.dilation, groups=op.groups
    )


def _averaged(op: AvgPool, x: Tensor) -> Tensor:
    w = op.window
    sums = F.avg_pool2d(_bordered(x, w.padding, 0.0), w.kernel, w.stride)
    if op.count_include_pad:
        return sums
    counted = _bordered(torch.ones_like(x[:1, :1]), w.padding, 0.0)
    return sums / F.avg_pool2d(counted, w.kernel, w.stride)


def _bordered(x: Tensor, padding: tuple[int, int, int, int], value: float) -> Tensor:
    top, left, bottom, right = padding
    return F.pad(x, (left, right, top, bottom), value=value) if any(padding) else x


def _along(numbers: Tensor, x: Tensor) -> Tensor:
    """Return one number a channel so that it multiplies `[N, C, ...]`."""
    return numbers.reshape(-1, *(1,) * (x.dim() - 2))


def _finished(op: Conv | Linear, x: Tensor, values: dict[int, Tensor]) -> Tensor:
    return _activated(x if op.residual is None else x + values[op.residual], op.act)


def _activated(x: Tensor, act: Act) -> Tensor:
    if act is Act.NONE:
        return x
    return x.relu() if act is Act.RELU else x.clamp(0, 6)


def _called(op: Unknown, values: dict[int, Tensor], dtype: torch.dtype) -> Tensor:
    def typed(argument: object) -> object:
        match argument:
            case Tensor() if argument.is_floating_point():
                return argument.to(dtype)
            case list() | tuple():
                return type(argument)(map(typed, argument))
            case torch.dtype() if argument is torch.float32:
                return dtype
            case _:
                return argument

    keywords = tuple((key, typed(value)) for key, value in op.keywords)
    of_dtype = replace(op, arguments=tuple(map(typed, op.arguments)), keywords=keywords)
    result: Tensor = called(of_dtype, [values[value] for value in op.inputs])
    return result
