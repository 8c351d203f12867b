"""Round the weights to the type in which the file holds them."""

from __future__ import annotations

from dataclasses import fields, replace

from torch import Tensor

from ticket.errors import TicketError
from ticket.exporting.ir import Conv, Graph, Linear, Op
from ticket.exporting.shapes import kind
from ticket.exporting.value_type import ValueType


def round_weights(graph: Graph, values: ValueType) -> Graph:
    """Return the graph with weights as a file of `values` gives them back; biases stay fp32.

    A weight too small for the type becomes zero. Raises TicketError that names a layer whose numbers
    are not finite, or too large for the type.
    """
    for op in graph.ops:
        _check_finite(op)
    return replace(graph, ops=tuple(_rounded(op, values) for op in graph.ops))


def _check_finite(op: Op) -> None:
    name = op.name if isinstance(op, Conv | Linear) else f"value {op.output}"
    for field in fields(op):
        tensor = getattr(op, field.name)
        if isinstance(tensor, Tensor) and not bool(tensor.isfinite().all()):
            raise TicketError(
                f"{kind(op)} {name}: its {field.name} holds numbers that are not finite; "
                "export takes a network that was trained without overflow"
            )


def _rounded(op: Op, values: ValueType) -> Op:
    if not isinstance(op, Conv | Linear) or values is ValueType.FP32:
        return op
    weight = op.weight.to(values.dtype).float() + 0.0
    if not bool(weight.isfinite().all()):
        largest = float(op.weight.abs().max())
        raise TicketError(
            f"{kind(op)} {op.name}: a weight of {largest:g} does not fit {values.word}; "
            "use bf16 or fp32"
        )
    return replace(op, weight=weight)
