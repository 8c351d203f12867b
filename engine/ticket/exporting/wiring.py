"""Which values an operation reads, and how operations are joined anew after one is taken out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ticket.exporting.ir import Add, Concat, Conv, Graph, Linear, Mul, Op, Unknown


def reads(op: Op) -> tuple[int, ...]:
    """Return the values that an operation reads, one twice where it reads it twice."""
    match op:
        case Concat() | Unknown():
            return op.inputs
        case Add() | Mul():
            return (op.left, op.right)
        case Conv() | Linear():
            return (op.input,) if op.residual is None else (op.input, op.residual)
        case _:
            return (op.input,)


def rewired(op: Op, renamed: Callable[[int], int]) -> Op:
    """Return the operation with every value that it reads or writes renamed."""
    output = renamed(op.output)
    match op:
        case Concat() | Unknown():
            return replace(op, inputs=tuple(map(renamed, op.inputs)), output=output)
        case Add() | Mul():
            return replace(op, left=renamed(op.left), right=renamed(op.right), output=output)
        case Conv() | Linear():
            residual = None if op.residual is None else renamed(op.residual)
            return replace(op, input=renamed(op.input), residual=residual, output=output)
        case _:
            return replace(op, input=renamed(op.input), output=output)


def readers(graph: Graph) -> Counter[int]:
    """Count how often each value is read; being an output of the graph counts."""
    return Counter(value for op in graph.ops for value in reads(op)) + Counter(graph.outputs)


def writers(graph: Graph) -> dict[int, Op]:
    """Return, for each value that an operation writes, that operation."""
    return {op.output: op for op in graph.ops}


def tidied(graph: Graph) -> Graph:
    """Drop the operations that nothing reads and number the values in the order of writing."""
    wanted = set(graph.outputs)
    kept: list[Op] = []
    for op in reversed(graph.ops):
        if op.output in wanted:
            wanted.update(reads(op))
            kept.append(op)
    kept.reverse()
    return numbered(graph, kept)


def numbered(graph: Graph, ops: Sequence[Op]) -> Graph:
    """Return the graph of these of its operations, its values numbered in the order of writing."""
    order = dict.fromkeys((*graph.inputs, *(op.output for op in ops)))
    numbers = {value: number for number, value in enumerate(order)}
    return Graph(
        tuple(graph.values[value] for value in order),
        tuple(rewired(op, numbers.__getitem__) for op in ops),
        _all(numbers, graph.inputs),
        _all(numbers, graph.outputs),
    )


def _all(numbers: dict[int, int], values: Iterable[int]) -> tuple[int, ...]:
    return tuple(numbers[value] for value in values)
