"""What lowering did, layer by layer, for people and for `--json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ticket.exporting.ir import Conv, Graph, Linear, Shape, Unknown
from ticket.exporting.passes.choose import density
from ticket.exporting.passes.part import Stretch, stretches
from ticket.exporting.shapes import kind


@dataclass(frozen=True)
class LayerReport:
    """Tell of one layer what it was and what it is.

    `kind` is `conv`, `linear`, or `pick` for a copy of channels that the network does without weights.
    `shape` is that of the weights, before and after channels were dropped; a layer that nothing
    needed is all zeros after. `macs` are multiply-adds an image: all weights x positions before (none
    for a copy), kept weights x positions after, or all of them if `dense`.
    """

    name: str
    kind: str
    shape_before: Shape
    shape: Shape
    kept: int
    density: float
    dense: bool
    macs_before: int
    macs: int
    fused: tuple[str, ...]

    @property
    def dropped_filters(self) -> int:
        """Return how many output channels went."""
        return self.shape_before[0] - self.shape[0]

    @property
    def dropped_inputs(self) -> int:
        """Return how many input channels of a filter went."""
        return self.shape_before[1] - self.shape[1]


@dataclass(frozen=True)
class Report:
    """Hold the layers in order of the network, and what stays torch's: operators by name.

    `unknown` are those that the executor does not know, `left` those that it knows, but that join
    values which no one plan makes; `plans` is how many stand between them.
    """

    layers: tuple[LayerReport, ...]
    unknown: tuple[str, ...]
    left: tuple[str, ...] = ()
    plans: int = 1

    @property
    def macs_before(self) -> int:
        """Return the multiply-adds of the dense network for one image."""
        return sum(layer.macs_before for layer in self.layers)

    @property
    def macs(self) -> int:
        """Return the multiply-adds of the lowered network for one image."""
        return sum(layer.macs for layer in self.layers)


def report(captured: Graph, lowered: Graph) -> Report:
    """Compare the graph as captured with the lowered one; layers are matched by name."""
    after = {op.name: op for op in lowered.ops if isinstance(op, Conv | Linear)}
    layers = tuple(
        _layer(op, captured, after, lowered) for op in captured.ops if isinstance(op, Conv | Linear)
    )
    of_torch = [op for op in lowered.ops if isinstance(op, Unknown)]
    return Report(
        layers,
        tuple(op.target for op in of_torch if not op.left),
        tuple(op.target for op in of_torch if op.left),
        sum(isinstance(step, Stretch) for step in stretches(lowered)),
    )


def _layer(
    before: Conv | Linear, captured: Graph, others: Mapping[str, Conv | Linear], lowered: Graph
) -> LayerReport:
    after = others.get(before.name)
    picks = isinstance(before, Conv) and before.picks
    shape_before: Shape = tuple(before.weight.shape)
    macs_before = 0 if picks else before.weight.numel() * _positions(captured, before)
    word = "pick" if picks else kind(before)
    if after is None:
        nothing = (0, *shape_before[1:])
        return LayerReport(
            before.name, word, shape_before, nothing, 0, 0.0, False, macs_before, 0, ()
        )
    kept = int(after.weight.count_nonzero())
    counted = after.weight.numel() if after.dense else kept
    return LayerReport(
        name=before.name,
        kind=word,
        shape_before=shape_before,
        shape=tuple(after.weight.shape),
        kept=kept,
        density=density(after),
        dense=after.dense,
        macs_before=macs_before,
        macs=counted * _positions(lowered, after),
        fused=after.fused,
    )


def _positions(graph: Graph, op: Conv | Linear) -> int:
    """Return at how many places of its output a layer's weights are used, padding included."""
    shape = graph.values[op.output]
    assert shape is not None  # a layer makes an image or a vector
    return shape[1] * shape[2] if len(shape) == 3 else 1
