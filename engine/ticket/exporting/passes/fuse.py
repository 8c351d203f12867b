"""Do the activation, and the sum with what goes past a layer, in the operation before it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ticket.exporting.checking import check
from ticket.exporting.ir import (
    Act,
    Activate,
    Add,
    Affine,
    Conv,
    GlobalMax,
    Graph,
    Linear,
    MaxPool,
    Mul,
    Op,
    Reshape,
)
from ticket.exporting.wiring import readers, rewired, tidied

# An increasing function of each number alone may change places with these.
_PASSED = (MaxPool, GlobalMax, Reshape)


def fuse(graph: Graph) -> Graph:
    """Fuse layer + residual sum + activation, sums and products + activation, and reshapes.

    An activation also moves before the max-pools and reshapes that stand between. Only where
    nothing else reads what is no longer written.
    """
    draft = _Draft(graph)
    for op in graph.ops:
        draft.add(op)
    outputs = tuple(map(draft.renamed, graph.outputs))
    ops = tuple(op for op in draft.ops if op is not None)
    return check(tidied(replace(graph, ops=ops, outputs=outputs)))


class _Draft:
    """Collect the operations of the new graph; a class because each one may change earlier ones."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.counts: Counter[int] = readers(graph)
        self.ops: list[Op | None] = []
        self.places: dict[int, int] = {}  # value -> its operation's place in ops
        self.names: dict[int, int] = {}  # a value that is gone -> the one that took its place

    def renamed(self, value: int) -> int:
        while value in self.names:
            value = self.names[value]
        return value

    def add(self, original: Op) -> None:
        op = rewired(original, self.renamed)
        match op:
            case Activate() if self._activated(op):
                return
            case Add() if self._summed(op):
                return
            case Reshape() if self._reshaped(op):
                return
        self._append(op)

    def _append(self, op: Op) -> None:
        self.places[op.output] = len(self.ops)
        self.ops.append(op)

    def _writer(self, value: int) -> Op | None:
        """Return what writes a value that is read once."""
        if self.counts[value] != 1 or value not in self.places:
            return None
        return self.ops[self.places[value]]

    def _activated(self, op: Activate) -> bool:
        value = op.input
        before = self._writer(value)
        while isinstance(before, _PASSED):
            value = before.input
            before = self._writer(value)
        if not isinstance(before, Conv | Linear | Add | Mul | Affine | Activate):
            return False
        if isinstance(before, Conv | Linear):
            fused = (*before.fused, op.act.name.lower())
            before = replace(before, fused=fused)
        self.ops[self.places[value]] = replace(before, act=Act(max(before.act, op.act)))
        self._forget(op.output, op.input)
        return True

    def _summed(self, op: Add) -> bool:
        layers = [
            (self.places[value], before, other)
            for value, other in ((op.left, op.right), (op.right, op.left))
            if isinstance(before := self._writer(value), Conv | Linear)
            and before.residual is None
            and before.act is Act.NONE
        ]
        if not layers:
            return False
        # The later of two layers: what it adds is then ready soonest.
        place, layer, residual = max(layers, key=lambda found: found[0])
        self.ops[place] = None
        fused = (*layer.fused, "add", *(() if op.act is Act.NONE else (op.act.name.lower(),)))
        self._append(replace(layer, residual=residual, act=op.act, output=op.output, fused=fused))
        return True

    def _reshaped(self, op: Reshape) -> bool:
        """Join reshapes in a row, and drop one that changes nothing (but not at the input)."""
        before = self._writer(op.input)
        source = op.input
        if isinstance(before, Reshape):
            source = before.input
            self.ops[self.places[op.input]] = None
        same = self.graph.values[source] == self.graph.values[op.output]
        if same and source in self.places:
            self._forget(op.output, source)
            return True
        if source == op.input:
            return False
        self._append(replace(op, input=source))
        return True

    def _forget(self, value: int, instead: int) -> None:
        """Read `instead` wherever `value` was read; one reader of `instead` is gone."""
        self.names[value] = instead
        self.counts[instead] += self.counts[value] - 1
