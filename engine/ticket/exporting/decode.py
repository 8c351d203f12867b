"""From the bytes of a plan back to a graph, for `ticket show` and the tests."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ticket.errors import TicketError
from ticket.exporting import rice
from ticket.exporting.bytes_reader import BytesReader
from ticket.exporting.checking import check
from ticket.exporting.encode import MAGIC, NONE
from ticket.exporting.ir import (
    Act,
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
    Shape,
    Window,
)
from ticket.exporting.shapes import MOST_ELEMENTS
from ticket.exporting.value_type import ValueType


@dataclass(frozen=True)
class Stored:
    """Tell how a layer's weights lie in the file: type, Rice parameter, nonzeros, bytes in all."""

    values: ValueType
    k: int
    nonzeros: int
    size: int


@dataclass(frozen=True, eq=False)
class Plan:
    """Hold what a plan says; `stored` is per operation, None for those without weights.

    A plan has no names of layers: they are `conv1`, `linear2` by the place of the operation.
    """

    graph: Graph
    metadata: Mapping[str, Any]
    stored: tuple[Stored | None, ...]


def decode(data: bytes) -> Plan:
    """Return the plan that the bytes hold, every length, number and shape checked.

    Raises TicketError with one line for anything else.
    """
    reader = BytesReader(data)
    body = _opened(reader, data)
    if zlib.crc32(body) != reader.u32():
        raise reader.wrong("its checksum does not match")
    metadata = _metadata(reader)
    values = [_shape(reader) for _ in range(reader.count(5))]
    inputs, outputs = (reader.u32s(reader.count(4)) for _ in range(2))
    if len(inputs) != 1 or len(outputs) != 1:
        raise reader.wrong(f"it has {len(inputs)} inputs and {len(outputs)} outputs, not one each")
    found = [_Operations(reader, values, place).read() for place in range(reader.count(9))]
    if reader.left:
        raise reader.wrong(f"{reader.left} bytes follow its last operation")
    ops = tuple(op for op, _ in found)
    try:
        graph = check(Graph(tuple(values), ops, inputs, outputs))
    except TicketError as error:
        raise reader.wrong(str(error)) from error
    return Plan(graph, metadata, tuple(stored for _, stored in found))


def _opened(reader: BytesReader, data: bytes) -> memoryview:
    """Check the header up to the checksum and return what that covers."""
    magic = bytes(reader.take(len(MAGIC)))
    if magic[:-1] != MAGIC[:-1]:
        raise TicketError("this is no plan: it does not begin with TKTPLAN")
    if magic != MAGIC:
        raise TicketError(
            f"the plan has format version {magic[-1]}; this release reads version {MAGIC[-1]}; "
            "upgrade ticket to read it"
        )
    length = reader.u64()
    if length != len(data):
        raise reader.wrong(f"it says {length} bytes and has {len(data)}")
    return memoryview(data)[len(MAGIC) + 12 :]


def _metadata(reader: BytesReader) -> Mapping[str, Any]:
    try:
        metadata = json.loads(bytes(reader.take(reader.u32())))
    except (ValueError, RecursionError) as error:
        raise reader.wrong("its metadata is not JSON") from error
    if not isinstance(metadata, dict):
        raise reader.wrong("its metadata is not a JSON object")
    return metadata


def _shape(reader: BytesReader) -> Shape:
    rank = reader.u8()
    if rank not in (1, 3):
        raise reader.wrong(f"a value has rank {rank}, not 1 or 3")
    return reader.u32s(rank)


class _Operations:
    """Read one operation; a class because all of it needs the reader and the shapes."""

    def __init__(self, reader: BytesReader, values: list[Shape], place: int) -> None:
        self.reader = reader
        self.values = values
        self.place = place
        self.stored: Stored | None = None

    def read(self) -> tuple[Op, Stored | None]:
        code = self.reader.u8()
        kinds: Mapping[int, Callable[[], Op]] = {
            1: self._conv,
            2: self._linear,
            3: self._maxpool,
            4: self._avgpool,
            5: lambda: GlobalAvg(*self._pair()),
            6: lambda: GlobalMax(*self._pair()),
            7: lambda: Add(*self._three(), act=self._act()),
            8: lambda: Mul(*self._three(), act=self._act()),
            9: lambda: Activate(*self._pair(), act=self._act()),
            10: self._affine,
            11: lambda: Pad(*self._pair(), self._four(), self.reader.f32()),
            12: self._concat,
            13: lambda: Reshape(*self._pair()),
        }
        if code not in kinds:
            raise self.reader.wrong(f"operation {self.place} has the unknown code {code}")
        return kinds[code](), self.stored

    def _conv(self) -> Conv:
        r = self.reader
        value, output = self._pair()
        residual = self._residual()
        out, channels = self._pair()
        kernel, stride, padding, dilation = self._pair(), self._pair(), self._four(), self._pair()
        groups = r.u32()
        if groups == 0 or channels % groups or out % groups:
            raise r.wrong(f"a conv has {channels} and {out} channels in {groups} groups")
        act, dense = self._act(), self._flag("choice")
        bias = self._bias(out)
        weight = self._weights((out, channels // groups, *kernel))
        window = Window(kernel, stride, padding, dilation)
        name = f"conv{self.place}"
        return Conv(name, value, output, weight, window, bias, groups, residual, act, dense)

    def _linear(self) -> Linear:
        value, output = self._pair()
        residual = self._residual()
        shape = self._pair()
        act, dense = self._act(), self._flag("choice")
        bias = self._bias(shape[0])
        weight = self._weights(shape)
        return Linear(f"linear{self.place}", value, output, weight, bias, residual, act, dense)

    def _maxpool(self) -> MaxPool:
        value, output = self._pair()
        window = Window(self._pair(), self._pair(), self._four(), self._pair())
        return MaxPool(value, output, window)

    def _avgpool(self) -> AvgPool:
        value, output = self._pair()
        window = Window(self._pair(), self._pair(), self._four())
        return AvgPool(value, output, window, self._flag("count_include_pad"))

    def _affine(self) -> Affine:
        value, output = self._pair()
        act = self._act()
        if value >= len(self.values):
            raise self.reader.wrong(f"affine reads value {value} of {len(self.values)}")
        channels = self.values[value][0]
        return Affine(value, output, self._floats(channels), self._floats(channels), act)

    def _concat(self) -> Concat:
        inputs = self.reader.u32s(self.reader.count(4))
        return Concat(inputs, self.reader.u32())

    def _weights(self, shape: tuple[int, ...]) -> Tensor:
        r = self.reader
        before = r.left
        code, k, count, size = r.u8(), r.u8(), r.u64(), r.u64()
        types = {found.code: found for found in ValueType}
        if code not in types or k > rice.LARGEST_K:
            raise r.wrong(f"weights of type {code} and Rice parameter {k}")
        total = prod(shape)
        if count > total or total > MOST_ELEMENTS:
            raise r.wrong(f"{count} nonzeros among {total} weights")
        stream = bytes(r.take(size))
        # What k bits a nonzero cannot hold is refused before memory is taken for it.
        if count * (k + 1) > 8 * size:
            raise r.wrong(f"{count} nonzeros in {size} bytes of positions")
        kept = _floats_of(r.take(count * types[code].size), types[code])
        try:
            positions = rice.decode(stream, k, count, total)
        except TicketError as error:
            raise r.wrong(str(error)) from error
        try:
            # numpy's zeros are mapped but not touched: a layer that is nearly empty costs nearly nothing.
            flat = np.zeros(total, dtype=np.float32)
        except MemoryError as error:
            raise r.wrong(f"a layer has {total} weights, more than there is memory for") from error
        flat[positions] = kept
        self.stored = Stored(types[code], k, count, before - r.left)
        return torch.from_numpy(flat).reshape(shape)

    def _bias(self, channels: int) -> Tensor | None:
        return self._floats(channels) if self._flag("bias") else None

    def _floats(self, count: int) -> Tensor:
        return torch.from_numpy(_floats_of(self.reader.take(4 * count), ValueType.FP32))

    def _pair(self) -> tuple[int, int]:
        return self.reader.u32(), self.reader.u32()

    def _three(self) -> tuple[int, int, int]:
        return self.reader.u32(), self.reader.u32(), self.reader.u32()

    def _four(self) -> tuple[int, int, int, int]:
        return (*self._pair(), *self._pair())

    def _residual(self) -> int | None:
        value = self.reader.u32()
        return None if value == NONE else value

    def _act(self) -> Act:
        code = self.reader.u8()
        if code not in tuple(Act):
            raise self.reader.wrong(f"operation {self.place} has the unknown activation {code}")
        return Act(code)

    def _flag(self, name: str) -> bool:
        byte = self.reader.u8()
        if byte > 1:
            raise self.reader.wrong(f"operation {self.place} has {name} {byte}, not 0 or 1")
        return byte == 1


def _floats_of(data: memoryview, values: ValueType) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    if values is ValueType.FP32:
        return np.frombuffer(data, dtype="<f4").astype(np.float32)
    if values is ValueType.FP16:
        return np.frombuffer(data, dtype="<f2").astype(np.float32)
    return (np.frombuffer(data, dtype="<u2").astype(np.uint32) << 16).view(np.float32)
