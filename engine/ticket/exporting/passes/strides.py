"""A pool of one pixel that skips pixels is a stride of the 1x1 convolution after it."""

from __future__ import annotations

from dataclasses import replace

from ticket.exporting.checking import check
from ticket.exporting.ir import Conv, Graph, MaxPool, Op, Window
from ticket.exporting.wiring import readers, tidied, writers


def strides(graph: Graph) -> Graph:
    """Give the stride of a 1x1 pool to the 1x1 convolution that alone reads it."""
    counts, written = readers(graph), writers(graph)
    ops: list[Op] = []
    for op in graph.ops:
        if isinstance(op, Conv) and _is_pixel(op.window):
            before = written.get(op.input)
            while (
                isinstance(before, MaxPool)
                and _is_pixel(before.window)
                and counts[before.output] == 1
            ):
                outer, inner = op.window.stride, before.window.stride
                stride = (outer[0] * inner[0], outer[1] * inner[1])
                op = replace(op, input=before.input, window=replace(op.window, stride=stride))
                before = written.get(op.input)
        ops.append(op)
    return check(tidied(replace(graph, ops=tuple(ops))))


def _is_pixel(window: Window) -> bool:
    return window.kernel == (1, 1) and not any(window.padding)
