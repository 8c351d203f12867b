"""From a graph to the bytes of a plan, version 1: what every exported file holds.

Little-endian, packed. A header (magic, length, CRC-32 of what follows it), metadata as JSON, the
shapes of the values, inputs, outputs, then the operations, each a code and its fields.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping

import numpy as np
from torch import Tensor

from ticket.errors import TicketError
from ticket.exporting import rice
from ticket.exporting.checking import check
from ticket.exporting.ir import (
    Activate,
    Add,
    Affine,
    AvgPool,
    BatchNorm,
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
    Unknown,
    Window,
)
from ticket.exporting.value_type import ValueType

MAGIC = b"TKTPLAN\x01"
NONE = 0xFFFFFFFF  # no residual
CODES: Mapping[type[Op], int] = {
    Conv: 1,
    Linear: 2,
    MaxPool: 3,
    AvgPool: 4,
    GlobalAvg: 5,
    GlobalMax: 6,
    Add: 7,
    Mul: 8,
    Activate: 9,
    Affine: 10,
    Pad: 11,
    Concat: 12,
    Reshape: 13,
}


def encode(
    graph: Graph, metadata: Mapping[str, object], values: ValueType = ValueType.FP32
) -> bytes:
    """Return the bytes of the plan of a lowered graph; equal content gives equal bytes.

    The weights must be numbers that `values` holds exactly, as `round_weights` makes them. Raises
    TicketError when the graph has operators that the executor does not know, or the metadata is not
    JSON.
    """
    check(graph)
    unknown = [op.target for op in graph.ops if isinstance(op, Unknown)]
    if unknown:
        raise TicketError(
            f"the executor does not know {', '.join(dict.fromkeys(unknown))}; "
            "a plan holds known operations alone"
        )
    try:
        text = json.dumps(dict(metadata), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TicketError(f"the plan's metadata is not JSON: {error}") from error
    shapes = [shape for shape in graph.values if shape is not None]
    body = b"".join(
        (
            _text(text),
            _u32(len(shapes)),
            *(bytes([len(shape)]) + _u32(*shape) for shape in shapes),
            _u32(len(graph.inputs), *graph.inputs),
            _u32(len(graph.outputs), *graph.outputs),
            _u32(len(graph.ops)),
            *(_op(op, values) for op in graph.ops),
        )
    )
    length = len(MAGIC) + 8 + 4 + len(body)
    return MAGIC + struct.pack("<QI", length, zlib.crc32(body)) + body


def _op(op: Op, values: ValueType) -> bytes:
    fields = _fields(op, values)
    return bytes([CODES[type(op)]]) + fields


def _fields(op: Op, values: ValueType) -> bytes:
    match op:
        case Conv():
            out, within = op.weight.shape[:2]
            w = op.window
            return b"".join(
                (
                    _u32(op.input, op.output, NONE if op.residual is None else op.residual),
                    _u32(out, within * op.groups, *w.kernel, *w.stride, *w.padding, *w.dilation),
                    _u32(op.groups),
                    bytes([op.act, op.dense]),
                    _bias(op.bias),
                    weights(op.weight, values),
                )
            )
        case Linear():
            return b"".join(
                (
                    _u32(op.input, op.output, NONE if op.residual is None else op.residual),
                    _u32(*op.weight.shape),
                    bytes([op.act, op.dense]),
                    _bias(op.bias),
                    weights(op.weight, values),
                )
            )
        case MaxPool():
            return _u32(op.input, op.output, *_window(op.window), *op.window.dilation)
        case AvgPool():
            return _u32(op.input, op.output, *_window(op.window)) + bytes([op.count_include_pad])
        case Add() | Mul():
            return _u32(op.left, op.right, op.output) + bytes([op.act])
        case Activate():
            return _u32(op.input, op.output) + bytes([op.act])
        case Affine():
            numbers = _floats(op.scale) + _floats(op.shift)
            return _u32(op.input, op.output) + bytes([op.act]) + numbers
        case Pad():
            return _u32(op.input, op.output, *op.padding) + struct.pack("<f", op.value)
        case Concat():
            return _u32(len(op.inputs), *op.inputs, op.output)
        case BatchNorm() | Unknown():
            raise TicketError("a plan holds no batch normalisation; fold it first")
        case _:
            return _u32(op.input, op.output)


def weights(weight: Tensor, values: ValueType) -> bytes:
    """Return the bytes of the nonzeros: type, Rice parameter, counts, positions, values."""
    flat = weight.detach().flatten().numpy()
    positions = np.flatnonzero(flat)
    k, stream = rice.encode(positions.astype(np.int64))
    head = struct.pack("<BBQQ", values.code, k, len(positions), len(stream))
    return head + stream + _values(flat[positions], values)


def _values(kept: np.ndarray[tuple[int], np.dtype[np.float32]], values: ValueType) -> bytes:
    if values is ValueType.FP32:
        return kept.astype("<f4").tobytes()
    if values is ValueType.FP16:
        return kept.astype("<f2").tobytes()
    # bf16 is the upper half of fp32; the weights were rounded to it before.
    return (kept.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()


def _window(window: Window) -> tuple[int, ...]:
    return (*window.kernel, *window.stride, *window.padding)


def _bias(bias: Tensor | None) -> bytes:
    return b"\x00" if bias is None else b"\x01" + _floats(bias)


def _floats(numbers: Tensor) -> bytes:
    return numbers.detach().numpy().astype("<f4").tobytes()


def _text(text: str) -> bytes:
    encoded = text.encode()
    return _u32(len(encoded)) + encoded


def _u32(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)
