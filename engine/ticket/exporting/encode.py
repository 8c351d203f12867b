"""From a graph to the bytes of a plan, version 2: what every exported file holds.

A header (magic, length, CRC-32 of what follows it), metadata as JSON, the input's shape, how many
operations, which value is the output; then the operations, each a code, the values that it reads, a byte of
flags, and its fields. Operation i writes value i + 1. What can be derived is left out: shapes of values
but the input's and a reshape's, channels that go into a layer. Numbers are LEB128 in the shortest form: seven
bits a byte, lowest first, the eighth says that more follow. Floats and the header are little-endian.
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
from ticket.exporting.wiring import numbered

MAGIC = b"TKTPLAN\x02"
# Flags; the two lowest bits are the activation.
DENSE = COUNT_PAD = 4  # of a layer: run by a dense kernel; of an average pool: padding counts
BIAS, RESIDUAL = 8, 16
WIDE = 32  # the window is more than a kernel size, a stride and a padding
GROUPS = 64  # the groups are there: they are not one
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
    TicketError when the graph has no operations or ones that the executor does not know, or the metadata
    is not JSON.
    """
    check(graph)
    unknown = [op.target for op in graph.ops if isinstance(op, Unknown)]
    if unknown:
        raise TicketError(
            f"the executor does not know {', '.join(dict.fromkeys(unknown))}; "
            "a plan holds known operations alone"
        )
    if not graph.ops:
        raise TicketError("a plan without operations would do nothing")
    try:
        text = json.dumps(dict(metadata), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TicketError(f"the plan's metadata is not JSON: {error}") from error
    graph = numbered(graph, graph.ops)
    (source,), (result,) = graph.inputs, graph.outputs
    encoded = text.encode()
    body = b"".join(
        (
            numbers(len(encoded)) + encoded,
            _shape(graph, source),
            numbers(len(graph.ops), result),
            *(_op(graph, op, values) for op in graph.ops),
        )
    )
    length = len(MAGIC) + 8 + 4 + len(body)
    return MAGIC + struct.pack("<QI", length, zlib.crc32(body)) + body


def _op(graph: Graph, op: Op, values: ValueType) -> bytes:
    head = bytes([CODES[type(op)]])
    match op:
        case Conv() | Linear():
            return head + _layer(op, values)
        case MaxPool():
            return head + numbers(op.input) + _flags(_wide(op.window)) + _window(op.window)
        case AvgPool():
            flags = _wide(op.window) | (COUNT_PAD if op.count_include_pad else 0)
            return head + numbers(op.input) + _flags(flags) + _window(op.window, dilated=False)
        case Add() | Mul():
            return head + numbers(op.left, op.right) + _flags(op.act)
        case Activate():
            return head + numbers(op.input) + _flags(op.act)
        case Affine():
            return head + numbers(op.input) + _flags(op.act) + _floats(op.scale) + _floats(op.shift)
        case Pad():
            return head + numbers(op.input, *op.padding) + struct.pack("<f", op.value)
        case Concat():
            return head + numbers(len(op.inputs), *op.inputs)
        case Reshape():
            return head + numbers(op.input) + _shape(graph, op.output)
        case BatchNorm() | Unknown():
            raise TicketError("a plan holds no batch normalisation; fold it first")
        case _:
            return head + numbers(op.input)


def _layer(op: Conv | Linear, values: ValueType) -> bytes:
    flags = op.act | (DENSE if op.dense else 0) | (BIAS if op.bias is not None else 0)
    residual = b"" if op.residual is None else numbers(op.residual)
    fields = residual + numbers(op.weight.shape[0])
    if isinstance(op, Conv):
        flags |= _wide(op.window) | (GROUPS if op.groups != 1 else 0)
        fields += _window(op.window) + (numbers(op.groups) if op.groups != 1 else b"")
    bias = b"" if op.bias is None else _floats(op.bias)
    flags |= RESIDUAL if residual else 0
    return numbers(op.input) + _flags(flags) + fields + bias + weights(op.weight, values)


def weights(weight: Tensor, values: ValueType) -> bytes:
    """Return the bytes of the nonzeros: type, Rice parameter, counts, positions, values.

    Where nothing is zero, there are no positions.
    """
    flat = weight.detach().flatten().numpy()
    positions = np.flatnonzero(flat)
    if len(positions) == len(flat):
        return bytes([values.code]) + numbers(len(flat)) + _values(flat, values)
    k, stream = rice.encode(positions.astype(np.int64))
    head = bytes([values.code | k << 2]) + numbers(len(positions), len(stream))
    return head + stream + _values(flat[positions], values)


def _values(kept: np.ndarray[tuple[int], np.dtype[np.float32]], values: ValueType) -> bytes:
    if values is ValueType.FP32:
        return kept.astype("<f4").tobytes()
    if values is ValueType.FP16:
        return kept.astype("<f2").tobytes()
    # bf16 is the upper half of fp32; the weights were rounded to it before.
    return (kept.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()


def _flags(flags: int) -> bytes:
    return bytes([flags])


def plain(window: Window) -> bool:
    """Tell whether a window is one kernel size, one stride and one padding, not dilated."""
    pairs = (window.kernel, window.stride, window.padding)
    return window.dilation == (1, 1) and all(len(set(pair)) == 1 for pair in pairs)


def _wide(window: Window) -> int:
    return 0 if plain(window) else WIDE


def _window(window: Window, *, dilated: bool = True) -> bytes:
    if plain(window):
        return numbers(window.kernel[0], window.stride[0], window.padding[0])
    dilation = window.dilation if dilated else ()
    return numbers(*window.kernel, *window.stride, *window.padding, *dilation)


def _shape(graph: Graph, value: int) -> bytes:
    shape = graph.values[value]
    assert shape is not None  # checked: known operations make images or vectors
    return numbers(len(shape), *shape)


def _floats(floats: Tensor) -> bytes:
    return floats.detach().numpy().astype("<f4").tobytes()


def numbers(*given: int) -> bytes:
    """Return numbers of 0 and more as LEB128, one after the other."""
    found = bytearray()
    for number in given:
        while number >= 128:
            found.append(number & 127 | 128)
            number >>= 7
        found.append(number)
    return bytes(found)
