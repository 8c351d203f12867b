"""Which channels are read by anything that reaches an output, and which must stay beside those."""

from __future__ import annotations

import torch
from torch import Tensor

from ticket.exporting.ir import (
    Activate,
    Add,
    Affine,
    AvgPool,
    Concat,
    Conv,
    GlobalAvg,
    GlobalMax,
    Graph,
    Linear,
    MaxPool,
    Mul,
    Op,
    Pad,
    Reshape,
)
from ticket.exporting.passes.constants import grouped
from ticket.exporting.wiring import reads

Channels = dict[int, Tensor]  # value -> bool, one a channel

# What makes each channel of the same channel of its input.
_PER_CHANNEL = (Activate, Affine, MaxPool, AvgPool, GlobalAvg, GlobalMax, Pad)


def live_channels(graph: Graph) -> Channels:
    """Return the channels that the outputs depend on."""
    live = _none(graph)
    for value in graph.outputs:
        if value in live:
            live[value][:] = True
    for op in reversed(graph.ops):
        _mark(op, live)
    return live


def kept_channels(graph: Graph, live: Channels) -> Channels:
    """Return the live channels and those that cannot go without them.

    What is added must have equal channels, a pool makes as many as it reads; inputs, outputs, unknown
    operators and grouped layers keep all. Each value keeps at least one.
    """
    kept = {value: channels.clone() for value, channels in live.items()}
    for value in (*graph.inputs, *graph.outputs):
        if value in kept:
            kept[value][:] = True
    for channels in kept.values():
        if not channels.any():
            channels[0] = True
    changed = True
    while changed:
        before = {value: channels.clone() for value, channels in kept.items()}
        for op in (*graph.ops, *reversed(graph.ops)):
            _tie(op, kept)
        changed = any(not channels.equal(before[value]) for value, channels in kept.items())
    return kept


def _none(graph: Graph) -> Channels:
    return {
        value: torch.zeros(shape[0], dtype=torch.bool)
        for value, shape in enumerate(graph.values)
        if shape is not None
    }


def _mark(op: Op, live: Channels) -> None:
    """Mark what `op` reads to make the live channels of its output."""
    match op:
        case Conv() | Linear():
            live[op.input] |= _read(op, live[op.output])
            if op.residual is not None:
                live[op.residual] |= live[op.output]
        case Add() | Mul():
            live[op.left] |= live[op.output]
            live[op.right] |= live[op.output]
        case Concat():
            for value, part in _parts(op, live):
                live[value] |= part
        case Reshape():
            _share(live[op.input], live[op.output], both=False)
        case _ if isinstance(op, _PER_CHANNEL):
            live[op.input] |= live[op.output]
        case _:
            for value in reads(op):
                if value in live:
                    live[value][:] = True


def _read(op: Conv | Linear, needed: Tensor) -> Tensor:
    """Tell which input channels have a weight in a filter that is needed."""
    weights = grouped(op) != 0
    of_needed = weights & needed.reshape(weights.shape[0], -1, 1, 1)
    return of_needed.any(3).any(1).flatten()


def _tie(op: Op, kept: Channels) -> None:
    """Keep beside each kept channel those that it is bound to."""
    match op:
        case Conv() | Linear():
            if op.residual is not None:
                _equal(kept[op.residual], kept[op.output])
            if isinstance(op, Conv) and op.groups > 1:
                if op.groups == len(op.weight) and op.weight.shape[1] == 1:
                    _equal(kept[op.input], kept[op.output])
                else:
                    kept[op.input][:] = True
                    kept[op.output][:] = True
        case Add() | Mul():
            for value in (op.left, op.right, op.left):
                _equal(kept[value], kept[op.output])
        case Concat():
            for value, part in _parts(op, kept):
                _equal(kept[value], part)
        case Reshape():
            _share(kept[op.input], kept[op.output], both=True)
        case _ if isinstance(op, _PER_CHANNEL):
            _equal(kept[op.input], kept[op.output])
        case _:
            for value in (*reads(op), op.output):
                if value in kept:
                    kept[value][:] = True


def _equal(one: Tensor, other: Tensor) -> None:
    one |= other
    other |= one


def _parts(op: Concat, channels: Channels) -> list[tuple[int, Tensor]]:
    """Return each input with its part of the output's channels, a view."""
    sizes = [len(channels[value]) for value in op.inputs]
    return list(zip(op.inputs, torch.split(channels[op.output], sizes), strict=True))


def _share(given: Tensor, made: Tensor, *, both: bool) -> None:
    """Carry marks over a reshape: to the input, and back with `both`.

    A channel that becomes several features goes or stays with all of them; where channels are mixed,
    all stay.
    """
    if len(made) % len(given) == 0:
        rows = made.reshape(len(given), -1)
        given |= rows.any(1)
        if both:
            rows |= given.reshape(-1, 1)
    else:
        given[:] = True
        if both:
            made[:] = True
