"""Choose for each layer the kernel that is faster: over the nonzeros, or over all weights."""

from __future__ import annotations

from dataclasses import replace

from ticket.exporting.ir import Conv, Graph, Linear, Op

# Measured on wide layers: a sparse loop makes 95, a dense kernel 135 multiply-adds a nanosecond, so
# that the dense one is ahead from 95 / 135 of the weights on.
CONV_DENSITY = 0.70
# At batch 1 a linear layer is as fast as its weights are read: 4 bytes each, with a position 8.
LINEAR_DENSITY = 0.50
# A dense kernel needs this much of a layer to reach its rate: weights a filter, filters a group.
# Below it - the first layer, depthwise layers - the sparse loop wins at any density.
WIDE_FILTER = 64
WIDE_GROUP = 16


def choose(graph: Graph) -> Graph:
    """Set `dense` of every convolution and linear layer by its density and size."""
    return replace(graph, ops=tuple(_chosen(op) for op in graph.ops))


def density(op: Conv | Linear) -> float:
    """Return the share of weights that are not zero."""
    return int(op.weight.count_nonzero()) / op.weight.numel()


def _chosen(op: Op) -> Op:
    match op:
        case Conv():
            wide = op.weight[0].numel() >= WIDE_FILTER and len(op.weight) // op.groups >= WIDE_GROUP
            return replace(op, dense=wide and density(op) >= CONV_DENSITY)
        case Linear():
            wide = op.weight.shape[1] >= WIDE_FILTER
            return replace(op, dense=wide and density(op) >= LINEAR_DENSITY)
        case _:
            return op
