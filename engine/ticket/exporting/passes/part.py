"""Part the known operations into stretches of one input and one output around the unknown ones.

The executor runs a plan of one input and one output as one call. Where an unknown operator stands in
the network, several plans run with torch's operators between them. A sum, product or joint of values
that no such stretch makes from one is left to torch, too.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from ticket.exporting.checking import check
from ticket.exporting.ir import (
    Act,
    Activate,
    Add,
    Concat,
    Conv,
    Graph,
    Linear,
    Mul,
    Op,
    Reshape,
    Slot,
    Unknown,
)
from ticket.exporting.wiring import reads, tidied, writers

# Not worth a call of the executor where nothing else is in it.
_SLIGHT = (Reshape, Activate)


@dataclass(frozen=True, eq=False)
class Stretch:
    """Hold operations in order that together read one value and make one that others read."""

    ops: tuple[Op, ...]
    input: int
    output: int


def part(graph: Graph) -> Graph:
    """Leave to torch what no stretch can hold, so that `stretches` has a place for all the rest.

    A graph that is known whole stays as it is.
    """
    while any(isinstance(op, Unknown) for op in graph.ops):
        _, left = _found(graph)
        if not left:
            return graph
        graph = _loosened(graph, left)
    return graph


def stretches(graph: Graph) -> list[Stretch | Unknown]:
    """Return the graph as stretches and unknown operators, in an order in which they can run."""
    if not any(isinstance(op, Unknown) for op in graph.ops):
        return [Stretch(graph.ops, graph.inputs[0], graph.outputs[0])]
    steps, left = _found(graph)
    assert not left  # `part` has seen to it
    return steps


def _found(graph: Graph) -> tuple[list[Stretch | Unknown], set[int]]:
    """Return the steps, and the outputs of the operations that are to be left to torch."""
    written, readers = writers(graph), _readers(graph)
    steps: list[Stretch | Unknown] = []
    left: set[int] = set()
    taken: set[int] = set()
    for op in reversed(graph.ops):  # values are numbered in the order of writing
        if isinstance(op, Unknown):
            steps.append(op)
        elif op.output not in taken:
            inside = _grown(op, written, readers, taken)
            if inside is None or all(isinstance(written[value], _SLIGHT) for value in inside):
                left |= {op.output} if inside is None else inside
                continue
            taken |= inside
            ops = tuple(written[value] for value in sorted(inside))
            (source,) = {v for one in ops for v in reads(one)} - inside
            steps.append(Stretch(ops, source, op.output))
    return steps[::-1], left


def _grown(
    last: Op, written: dict[int, Op], readers: dict[int, set[int]], taken: set[int]
) -> set[int] | None:
    """Return the outputs of the largest stretch that ends with an operation; None if there is none.

    It grows backwards by what it alone reads, the latest first, and is a stretch whenever all that it
    reads from outside is one value.
    """
    inside, outside = {last.output}, set(reads(last))
    best = set(inside) if len(outside) == 1 else None
    while True:
        more = [
            value
            for value in outside
            if value in written
            and value not in taken
            and not isinstance(written[value], Unknown)
            and readers[value] <= inside
        ]
        if not more:
            return best
        value = max(more)
        inside.add(value)
        outside = (outside | set(reads(written[value]))) - inside
        if len(outside) == 1:
            best = set(inside)


def _readers(graph: Graph) -> dict[int, set[int]]:
    """Return, for each value, the outputs of what reads it; -1 for the network's own output."""
    found: dict[int, set[int]] = defaultdict(set)
    for op in graph.ops:
        for value in reads(op):
            found[value].add(op.output)
    for value in graph.outputs:
        found[value].add(-1)
    return found


def _loosened(graph: Graph, left: set[int]) -> Graph:
    """Return the graph with the operations that make these values as torch's."""
    values, ops = list(graph.values), list[Op]()
    for op in graph.ops:
        if op.output in left:
            ops += _as_torch(op, values)
        else:
            ops.append(op)
    return check(tidied(replace(graph, values=tuple(values), ops=tuple(ops))))


def _as_torch(op: Op, values: list[tuple[int, ...] | None]) -> list[Op]:
    """Return torch's operators for an operation; `values` grows by what lies between them."""

    def fresh() -> int:
        values.append(values[op.output])
        return len(values) - 1

    def call(target: str, inputs: tuple[int, ...], output: int, *arguments: object) -> Unknown:
        return Unknown(f"aten.{target}", inputs, output, arguments, left=True)

    both = (Slot(0), Slot(1))
    act = op.act if isinstance(op, Add | Mul | Conv | Linear) else Act.NONE
    output = op.output if act is Act.NONE else fresh()
    match op:
        case Add():
            made: list[Op] = [call("add.Tensor", (op.left, op.right), output, *both)]
        case Mul():
            made = [call("mul.Tensor", (op.left, op.right), output, *both)]
        case Concat():
            slots = [Slot(place) for place in range(len(op.inputs))]
            made = [call("cat.default", op.inputs, output, slots, 1)]
        case Conv() | Linear():
            assert op.residual is not None  # else it reads one value
            layer, fused = fresh(), op.fused[: op.fused.index("add")]
            alone = replace(op, output=layer, residual=None, act=Act.NONE, fused=fused)
            made = [alone, call("add.Tensor", (layer, op.residual), output, *both)]
        case Reshape():
            shape = values[op.output] or ()
            made = [call("reshape.default", (op.input,), output, Slot(0), [-1, *shape])]
        case Activate():
            output, act = op.input, op.act
            made = []
        case _:
            raise AssertionError(f"{type(op).__name__} reads one value and has a stretch")
    match act:
        case Act.RELU:
            made.append(call("relu.default", (output,), op.output, Slot(0)))
        case Act.RELU6:
            made.append(call("clamp.default", (output,), op.output, Slot(0), 0, 6))
    return made
