"""Lowering: a network to the graph that is written, and the report of what was done to it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from ticket.exporting.capture import capture
from ticket.exporting.checking import check
from ticket.exporting.ir import Graph, Shape
from ticket.exporting.passes import normalise as pixels
from ticket.exporting.passes.choose import choose
from ticket.exporting.passes.dead import dead
from ticket.exporting.passes.fold import fold
from ticket.exporting.passes.fuse import fuse
from ticket.exporting.passes.normalise import Normalisation
from ticket.exporting.passes.part import part
from ticket.exporting.passes.rounding import round_weights
from ticket.exporting.passes.strides import strides
from ticket.exporting.report import Report, report
from ticket.exporting.value_type import value_type


@dataclass(frozen=True, eq=False)
class Lowered:
    """Hold the graph to be written and what was done to make it."""

    graph: Graph
    report: Report


def lower(
    model: nn.Module,
    shape: Shape,
    *,
    normalise: Normalisation | None = None,
    values: str = "fp32",
) -> Lowered:
    """Capture `model` for images of `shape` and run every pass over its graph.

    `normalise` makes the graph take raw pixels; `values` (fp32, fp16, bf16) is how the file will
    hold the weights. Raises TicketError for what cannot be captured or written, UsageError for another
    `values`.
    """
    kind = value_type(values)
    captured = capture(model, shape)
    graph = captured if normalise is None else pixels.normalise(captured, normalise)
    for rewrite in (fold, strides, fuse):
        graph = rewrite(graph)
    # Rounded first: weights that vanish may leave a filter without any.
    graph = part(choose(dead(round_weights(graph, kind))))
    return Lowered(check(graph), report(captured, graph))
