"""Fold what is linear and per channel into the weights before it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ticket.exporting.checking import check
from ticket.exporting.ir import Act, Affine, BatchNorm, Conv, Graph, Linear, Op
from ticket.exporting.wiring import readers, tidied


def fold(graph: Graph) -> Graph:
    """Fold every BatchNorm and Affine into the layer or Affine before it, in float64.

    scale = gamma / sqrt(variance + eps), W' = scale * W, b' = scale * (b - mean) + beta. Only where
    nothing else reads that layer's output and no activation stands between; a BatchNorm that cannot be
    folded becomes an Affine.
    """
    counts = readers(graph)
    ops: list[Op] = []
    written: dict[int, int] = {}  # value -> its operation's place in ops
    for op in graph.ops:
        if not isinstance(op, BatchNorm | Affine):
            written[op.output] = len(ops)
            ops.append(op)
            continue
        scale, shift = scale_and_shift(op)
        act = op.act if isinstance(op, Affine) else Act.NONE
        place = written.get(op.input, -1)
        before = ops[place] if place >= 0 else None
        if counts[op.input] == 1 and isinstance(before, Conv | Linear | Affine) and _open(before):
            ops[place] = _folded(before, scale, shift, op, act)
            written[op.output] = place
            continue
        written[op.output] = len(ops)
        ops.append(Affine(op.input, op.output, scale.float(), shift.float(), act))
    return check(tidied(replace(graph, ops=tuple(ops))))


def scale_and_shift(op: BatchNorm | Affine) -> tuple[Tensor, Tensor]:
    """Return float64 scale and shift, one a channel, so that the operation is x * scale + shift."""
    if isinstance(op, Affine):
        return op.scale.double(), op.shift.double()
    scale = (op.variance.double() + op.eps).rsqrt()
    if op.scale is not None:
        scale = scale * op.scale.double()
    shift = -op.mean.double() * scale
    return scale, shift if op.shift is None else shift + op.shift.double()


def _open(op: Conv | Linear | Affine) -> bool:
    """Tell whether nothing stands between the weights and the output."""
    return op.act is Act.NONE and (isinstance(op, Affine) or op.residual is None)


def _folded(
    before: Conv | Linear | Affine, scale: Tensor, shift: Tensor, op: BatchNorm | Affine, act: Act
) -> Op:
    if isinstance(before, Affine):
        shift = before.shift.double() * scale + shift
        scale = before.scale.double() * scale
        return replace(before, scale=scale.float(), shift=shift.float(), act=act, output=op.output)
    along = scale.reshape(-1, *(1,) * (before.weight.dim() - 1))
    # -0.0 would not compare as a change, but +0.0 is what a masked weight is.
    weight = (before.weight.double() * along).float() + 0.0
    bias = torch.zeros_like(scale) if before.bias is None else before.bias.double()
    return replace(
        before,
        weight=weight,
        bias=(bias * scale + shift).float(),
        act=act,
        output=op.output,
        fused=(*before.fused, "batchnorm" if isinstance(op, BatchNorm) else "affine"),
    )
