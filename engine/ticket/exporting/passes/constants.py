"""Which channels are one known number over the whole image, whatever the image."""

from __future__ import annotations

import torch
from torch import Tensor

from ticket.exporting.ir import (
    Act,
    Activate,
    Add,
    Affine,
    AvgPool,
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
)

Constants = dict[int, Tensor]  # value -> float64, one a channel; NaN where it depends on the image


def constants(graph: Graph) -> Constants:
    """Return, for each image or vector of the graph, the number of each constant channel."""
    found: Constants = {value: unknown(graph.values[value]) for value in graph.inputs}
    for op in graph.ops:
        found[op.output] = _result(graph, op, found)
    return found


def unknown(shape: Shape | None) -> Tensor:
    """Return the constants of a value of which nothing is known."""
    return torch.full((shape[0] if shape else 0,), torch.nan, dtype=torch.float64)


def usable(op: Conv | Linear, given: Tensor) -> Tensor:
    """Tell for which input channels `op` sees one number at every tap.

    At the border of a padded convolution that is so for zero alone.
    """
    padded = isinstance(op, Conv) and any(op.window.padding)
    return (given == 0) if padded else ~given.isnan()


def per_group(op: Conv | Linear, given: Tensor) -> Tensor:
    """Arrange one number an input channel as [groups, 1, channels of a group, 1]."""
    groups = op.groups if isinstance(op, Conv) else 1
    return given.reshape(groups, 1, -1, 1)


def grouped(op: Conv | Linear) -> Tensor:
    """Arrange the weights as [groups, filters of a group, channels of a group, taps], float64."""
    groups = op.groups if isinstance(op, Conv) else 1
    out, within = op.weight.shape[:2]
    return op.weight.double().reshape(groups, out // groups, within, -1)


def _result(graph: Graph, op: Op, found: Constants) -> Tensor:
    match op:
        case Conv() | Linear():
            return _made(op, found)
        case Add():
            return _activated(found[op.left] + found[op.right], op.act)
        case Mul():
            left, right = found[op.left], found[op.right]
            zero = (left == 0) | (right == 0)
            return _activated((left * right).masked_fill(zero, 0.0), op.act)
        case Activate():
            return _activated(found[op.input], op.act)
        case Affine():
            scaled = found[op.input] * op.scale.double() + op.shift.double()
            return _activated(torch.where(op.scale == 0, op.shift.double(), scaled), op.act)
        case MaxPool() | GlobalAvg() | GlobalMax():
            return found[op.input]
        case AvgPool():
            given = found[op.input]
            bordered = any(op.window.padding) and op.count_include_pad
            return _where(given == 0, given) if bordered else given
        case Pad():
            given = found[op.input]
            return _where(given == op.value, given) if any(op.padding) else given
        case Concat():
            return torch.cat([found[value] for value in op.inputs])
        case Reshape():
            return _reshaped(graph, op, found[op.input])
        case _:
            return unknown(graph.values[op.output])


def _made(op: Conv | Linear, found: Constants) -> Tensor:
    weights = grouped(op)
    given = found[op.input]
    sees = per_group(op, usable(op, given))
    numbers = per_group(op, given.nan_to_num(0.0))
    made = (weights * numbers).sum((2, 3)).flatten()
    varies = ((weights != 0) & ~sees).any(3).any(2).flatten()
    if op.bias is not None:
        made = made + op.bias.double()
    if op.residual is not None:
        made = made + found[op.residual]
    return _activated(_where(~varies, made), op.act)


def _where(condition: Tensor, numbers: Tensor) -> Tensor:
    return numbers.masked_fill(~condition, torch.nan)


def _activated(numbers: Tensor, act: Act) -> Tensor:
    if act is Act.NONE:
        return numbers
    return numbers.clamp(min=0) if act is Act.RELU else numbers.clamp(0, 6)


def _reshaped(graph: Graph, op: Reshape, given: Tensor) -> Tensor:
    """Follow the constants where each channel becomes one or several; else nothing is known."""
    shape = graph.values[op.output]
    if shape is None or shape[0] % len(given) != 0:
        return unknown(shape)
    return given.repeat_interleave(shape[0] // len(given))
