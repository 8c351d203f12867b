"""A graph is consistent: every value exists, is written once before it is read, and fits."""

from __future__ import annotations

from collections.abc import Container

from ticket.errors import TicketError
from ticket.exporting.ir import Graph, Op, Reshape, Shape, Unknown
from ticket.exporting.shapes import MOST_ELEMENTS, elements, infer, kind, spelled
from ticket.exporting.wiring import reads


def check(graph: Graph) -> Graph:
    """Return the graph if it is consistent; raises TicketError that names what is not."""
    for value, shape in enumerate(graph.values):
        if shape is not None and (not shape or min(shape) < 1 or elements(shape) > MOST_ELEMENTS):
            raise _wrong(f"value {value} is {shape}; sizes are 1 and more, elements at most 2^31")
    if len(set(graph.inputs)) != len(graph.inputs):
        raise _wrong(f"an input is there twice: {graph.inputs}")
    written = set(graph.inputs)
    for value in (*graph.inputs, *graph.outputs):
        if not 0 <= value < len(graph.values):
            raise _wrong(f"there is no value {value}; there are {len(graph.values)}")
    for op in graph.ops:
        _check_op(graph, op, written)
        written.add(op.output)
    for value in range(len(graph.values)):
        if value not in written:
            raise _wrong(f"nothing writes value {value}")
    return graph


def _check_op(graph: Graph, op: Op, written: Container[int]) -> None:
    for value in reads(op):
        if value not in written:
            raise _wrong(f"{kind(op)} reads value {value} before anything writes it")
    if not 0 <= op.output < len(graph.values):
        raise _wrong(f"{kind(op)} writes value {op.output} of {len(graph.values)}")
    if op.output in written:
        raise _wrong(f"value {op.output} is written twice, the second time by {kind(op)}")
    if isinstance(op, Unknown):
        return

    def shape_of(value: int) -> Shape:
        shape = graph.values[value]
        if shape is None or len(shape) not in (1, 3):
            raise _wrong(f"{kind(op)} uses value {value}, neither an image nor a vector")
        return shape

    made, found = infer(op, shape_of), shape_of(op.output)
    if isinstance(op, Reshape):
        given = shape_of(op.input)
        if elements(given) != elements(found):
            raise _wrong(f"reshape makes {spelled(found)} of {spelled(given)}")
    elif made != found:
        raise _wrong(f"{kind(op)} makes {spelled(made)}, but value {op.output} is {spelled(found)}")


def _wrong(what: str) -> TicketError:
    return TicketError(f"the graph is inconsistent: {what}")
