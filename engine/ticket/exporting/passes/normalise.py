"""Put the normalisation of the pixels into the graph, so that callers feed them raw."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ticket.errors import TicketError
from ticket.exporting.checking import check
from ticket.exporting.ir import Affine, Conv, Graph, Linear, Op, Reshape, Shape
from ticket.exporting.wiring import reads, rewired, tidied


@dataclass(frozen=True)
class Normalisation:
    """Hold the network's input as a function of a pixel: (pixel * scale - mean) / std.

    `mean` and `std` are per channel; empty means 0 and 1. `scale` is 1 / 255 for bytes.
    """

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    scale: float = 1.0


def normalise(graph: Graph, normalisation: Normalisation) -> Graph:
    """Let the graph take raw pixels: in the first layer's weights where it has no padding.

    Padding stands for 0 after normalisation, so a padded layer gets an Affine before it. Raises
    TicketError when the numbers do not fit the channels.
    """
    (value,) = graph.inputs
    shape = graph.values[value]
    assert shape is not None  # the input is an image or a vector
    scale, shift = _per_channel(normalisation, shape)
    absorbed = _absorbed(graph, value, scale, shift)
    if absorbed is not None:
        return check(tidied(absorbed))
    fresh = len(graph.values)
    ops = [rewired(op, lambda read: fresh if read == value else read) for op in graph.ops]
    first = Affine(value, fresh, scale.float(), shift.float())
    values = (*graph.values, shape)
    return check(tidied(replace(graph, values=values, ops=(first, *ops))))


def _per_channel(normalisation: Normalisation, shape: Shape) -> tuple[Tensor, Tensor]:
    numbers = []
    for name, given, absent in (("mean", normalisation.mean, 0.0), ("std", normalisation.std, 1.0)):
        if len(given) not in (0, shape[0]):
            raise TicketError(f"{len(given)} numbers of {name} for images of {shape[0]} channels")
        numbers.append(torch.tensor(given or (absent,) * shape[0], dtype=torch.float64))
    mean, std = numbers
    if not bool((std > 0).all()):
        raise TicketError(f"std {normalisation.std} is not all above 0")
    return normalisation.scale / std, -mean / std


def _absorbed(graph: Graph, value: int, scale: Tensor, shift: Tensor) -> Graph | None:
    """Return the graph with scale and shift in the one layer that reads the input, if it can."""
    places = [place for place, op in enumerate(graph.ops) if value in reads(op)]
    if len(places) != 1:
        return None
    (place,) = places
    op = graph.ops[place]
    if isinstance(op, Reshape):
        flat = graph.values[op.output]
        if flat is None or len(flat) != 1:
            return None
        each = flat[0] // len(scale)  # pixels a channel
        return _absorbed(
            graph, op.output, scale.repeat_interleave(each), shift.repeat_interleave(each)
        )
    if not isinstance(op, Conv | Linear) or op.residual == value:
        return None
    if isinstance(op, Conv) and any(op.window.padding):
        return None
    ops: list[Op] = list(graph.ops)
    ops[place] = _taken(op, scale, shift)
    return replace(graph, ops=tuple(ops))


def _taken(op: Conv | Linear, scale: Tensor, shift: Tensor) -> Op:
    """Return W' = W * scale, b' = b + W @ shift, over the channels that come in."""
    weight = op.weight.double()
    groups = op.groups if isinstance(op, Conv) else 1
    out, within, *kernel = weight.shape
    grouped = weight.reshape(groups, out // groups, within, -1)
    scales, shifts = (t.reshape(groups, 1, within, 1) for t in (scale, shift))
    bias = (grouped * shifts).sum((2, 3)).reshape(out)
    if op.bias is not None:
        bias = bias + op.bias.double()
    scaled = (grouped * scales).reshape(out, within, *kernel)
    fused = (*op.fused, "normalisation")
    return replace(op, weight=scaled.float(), bias=bias.float(), fused=fused)
