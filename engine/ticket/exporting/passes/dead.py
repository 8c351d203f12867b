"""Drop channels that nothing needs: filters without weights, and inputs that no filter reads."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ticket.exporting.checking import check
from ticket.exporting.ir import Affine, Conv, Graph, Linear, Op, Shape
from ticket.exporting.passes.constants import Constants, constants, grouped, per_group, usable
from ticket.exporting.passes.liveness import kept_channels, live_channels
from ticket.exporting.wiring import tidied


def dead(graph: Graph) -> Graph:
    """Drop dead channels; what they would have added is in the biases after them.

    A filter of zeros makes the same number everywhere: its bias, activated. Layers that see it at
    every tap take weight x number into their own bias and read the channel no more; a padded
    convolution sees zeros beside it, and takes only a zero. Then go all channels that nothing reads,
    and with them the filters that make them, back to the input. At least one channel of each value
    stays.
    """
    graph = replace(graph, ops=_absorbed(graph, constants(graph)))
    live = live_channels(graph)
    kept = kept_channels(graph, live)
    return check(tidied(_cut(graph, live, kept)))


def _absorbed(graph: Graph, found: Constants) -> tuple[Op, ...]:
    """Move what constant channels contribute from the weights into the biases."""
    ops: list[Op] = []
    for op in graph.ops:
        if isinstance(op, Conv | Linear):
            given = found[op.input]
            sees = per_group(op, usable(op, given))
            weights = grouped(op)
            moved = ((weights * sees) * per_group(op, given.nan_to_num(0.0))).sum((2, 3)).flatten()
            rest = weights.masked_fill(sees, 0.0).reshape(op.weight.shape)
            bias = moved if op.bias is None else op.bias.double() + moved
            op = replace(op, weight=rest.float(), bias=bias.float())
        ops.append(op)
    return tuple(ops)


def _cut(graph: Graph, live: dict[int, Tensor], kept: dict[int, Tensor]) -> Graph:
    values = tuple(
        shape if value not in kept else _narrowed(shape, kept[value])
        for value, shape in enumerate(graph.values)
    )
    ops = tuple(_cut_op(op, live, kept) for op in graph.ops)
    return replace(graph, values=values, ops=ops)


def _narrowed(shape: Shape | None, stays: Tensor) -> Shape | None:
    return None if shape is None else (int(stays.count_nonzero()), *shape[1:])


def _cut_op(op: Op, live: dict[int, Tensor], kept: dict[int, Tensor]) -> Op:
    match op:
        case Affine():
            stays = kept[op.output]
            return replace(op, scale=op.scale[stays], shift=op.shift[stays])
        case Conv() | Linear():
            return _cut_layer(op, live[op.output], kept[op.input], kept[op.output])
        case _:
            return op


def _cut_layer(op: Conv | Linear, needed: Tensor, comes: Tensor, stays: Tensor) -> Op:
    # A filter that stays though nothing needs it, beside one that is needed, costs nothing as zeros.
    idle = ~needed[stays]
    weight = op.weight[stays]
    weight[idle] = 0.0
    bias = None if op.bias is None else op.bias[stays].masked_fill(idle, 0.0)
    if bias is not None and not bias.any():
        bias = None
    if isinstance(op, Conv) and op.groups > 1:
        # Depthwise: channels come and go together. Other groups keep all they have.
        groups = len(weight) if op.groups == len(op.weight) else op.groups
        return replace(op, weight=weight, bias=bias, groups=groups)
    return replace(op, weight=weight[:, comes].contiguous(), bias=bias)
