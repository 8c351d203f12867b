"""One operation's fields, in the order of the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import torch
from torch import Tensor

from ticket.errors import TicketError
from ticket.exporting import rice
from ticket.exporting.bytes_reader import BytesReader
from ticket.exporting.encode import (
    BIAS,
    COUNT_PAD,
    DENSE,
    GROUPS,
    RESIDUAL,
    WIDE,
    plain,
)
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
    Linear,
    MaxPool,
    Mul,
    Op,
    Pad,
    Reshape,
    Shape,
    Window,
)
from ticket.exporting.shapes import MOST_ELEMENTS, infer
from ticket.exporting.value_type import ValueType

ACT = 3  # the bits of the activation among the flags
MOST_OPS = 1 << 16  # as the runtime reads


@dataclass(frozen=True)
class Stored:
    """Tell how a layer's weights lie in the file: type, Rice parameter, nonzeros, bytes in all."""

    values: ValueType
    k: int
    nonzeros: int
    size: int


class Operation:
    """Read one operation; a class because all of it needs the reader and the shapes.

    `values` are the shapes of what was written before it, `place` its number; `stored` tells, once it
    is read, how its weights lie in the file.
    """

    def __init__(self, reader: BytesReader, values: list[Shape], place: int) -> None:
        self.reader = reader
        self.values = values
        self.place = place
        self.output = place + 1
        self.stored: Stored | None = None
        self.reshaped: Shape = ()

    def read(self) -> Op:
        """Return the operation; what it makes is still to be found."""
        code = self.reader.u8()
        kinds: Mapping[int, Callable[[], Op]] = {
            1: self._conv,
            2: self._linear,
            3: self._maxpool,
            4: self._avgpool,
            5: lambda: GlobalAvg(self._value(), self.output),
            6: lambda: GlobalMax(self._value(), self.output),
            7: lambda: Add(self._value(), self._value(), self.output, self._act()),
            8: lambda: Mul(self._value(), self._value(), self.output, self._act()),
            9: lambda: Activate(self._value(), self.output, self._act()),
            10: self._affine,
            11: lambda: Pad(self._value(), self.output, self._four(), self.reader.f32()),
            12: self._concat,
            13: self._reshape,
        }
        if code not in kinds:
            raise self.reader.wrong(f"operation {self.place} has the unknown code {code}")
        return kinds[code]()

    def made(self, op: Op) -> Shape:
        """Return the shape of the operation's output."""
        try:
            # Of a reshape alone the bytes say what it makes.
            return infer(op, self.values.__getitem__) or self.reshaped
        except TicketError as error:
            raise self.reader.wrong(str(error)) from error

    def _conv(self) -> Conv:
        r = self.reader
        value = self._value()
        flags = self._flags(ACT | DENSE | BIAS | RESIDUAL | WIDE | GROUPS)
        residual = self._value() if flags & RESIDUAL else None
        out, channels = r.number(), self.values[value][0]
        window = self._window(flags)
        groups = r.number() if flags & GROUPS else 1
        if groups == 0 or channels % groups or out % groups:
            raise r.wrong(f"a conv has {channels} and {out} channels in {groups} groups")
        if flags & GROUPS and groups == 1:
            raise r.wrong(f"operation {self.place} says one group twice")
        bias = self._floats(out) if flags & BIAS else None
        weight = self._weights((out, channels // groups, *window.kernel))
        act, dense = Act(flags & ACT), bool(flags & DENSE)
        name = f"conv{self.place}"
        return Conv(name, value, self.output, weight, window, bias, groups, residual, act, dense)

    def _linear(self) -> Linear:
        value = self._value()
        flags = self._flags(ACT | DENSE | BIAS | RESIDUAL)
        residual = self._value() if flags & RESIDUAL else None
        shape = (self.reader.number(), self.values[value][0])
        bias = self._floats(shape[0]) if flags & BIAS else None
        weight = self._weights(shape)
        act, dense = Act(flags & ACT), bool(flags & DENSE)
        name = f"linear{self.place}"
        return Linear(name, value, self.output, weight, bias, residual, act, dense)

    def _maxpool(self) -> MaxPool:
        value = self._value()
        return MaxPool(value, self.output, self._window(self._flags(WIDE)))

    def _avgpool(self) -> AvgPool:
        value = self._value()
        flags = self._flags(WIDE | COUNT_PAD)
        window = self._window(flags, dilated=False)
        return AvgPool(value, self.output, window, bool(flags & COUNT_PAD))

    def _affine(self) -> Affine:
        value, act = self._value(), self._act()
        channels = self.values[value][0]
        return Affine(value, self.output, self._floats(channels), self._floats(channels), act)

    def _concat(self) -> Concat:
        count = self.reader.count(1)
        if not 1 <= count <= MOST_OPS:
            raise self.reader.wrong(f"operation {self.place} joins {count} values")
        return Concat(tuple(self._value() for _ in range(count)), self.output)

    def _reshape(self) -> Reshape:
        value = self._value()
        self.reshaped = read_shape(self.reader)
        return Reshape(value, self.output)

    def _weights(self, shape: tuple[int, ...]) -> Tensor:
        r = self.reader
        before, total = r.left, prod(shape)
        form, count = r.u8(), r.number(total)
        code, k = form & 3, form >> 2
        full = count == total
        types = {found.code: found for found in ValueType}
        if code not in types or k > (0 if full else rice.LARGEST_K):
            raise r.wrong(f"weights of type {code} and Rice parameter {k}")
        if total > MOST_ELEMENTS:
            raise r.wrong(f"{count} nonzeros among {total} weights")
        size = 0 if full else r.number()
        stream = bytes(r.take(size))
        # What k bits a nonzero cannot hold is refused before memory is taken for it.
        if not full and count * (k + 1) > 8 * size:
            raise r.wrong(f"{count} nonzeros in {size} bytes of positions")
        kept = _floats_of(r.take(count * types[code].size), types[code])
        if full:
            self.stored = Stored(types[code], k, count, before - r.left)
            return torch.from_numpy(kept).reshape(shape)
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

    def _window(self, flags: int, *, dilated: bool = True) -> Window:
        r = self.reader
        if not flags & WIDE:
            kernel, stride, padding = r.numbers(3)
            return Window((kernel,) * 2, (stride,) * 2, (padding,) * 4)
        window = Window(self._pair(), self._pair(), self._four())
        if dilated:
            window = replace(window, dilation=self._pair())
        if plain(window):
            raise r.wrong(f"the window of operation {self.place} has a shorter form")
        return window

    def _floats(self, count: int) -> Tensor:
        return torch.from_numpy(_floats_of(self.reader.take(4 * count), ValueType.FP32))

    def _value(self) -> int:
        value = self.reader.number()
        if value >= len(self.values):
            wrong = f"operation {self.place} reads value {value}, which nothing has written"
            raise self.reader.wrong(wrong)
        return value

    def _pair(self) -> tuple[int, int]:
        return self.reader.number(), self.reader.number()

    def _four(self) -> tuple[int, int, int, int]:
        return (*self._pair(), *self._pair())

    def _act(self) -> Act:
        return Act(self._flags(ACT))

    def _flags(self, known: int) -> int:
        flags = self.reader.u8()
        if flags & ~known or flags & ACT == 3:
            raise self.reader.wrong(f"operation {self.place} has the unknown flags {flags}")
        return flags


def _floats_of(data: memoryview, values: ValueType) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    if values is ValueType.FP32:
        return np.frombuffer(data, dtype="<f4").astype(np.float32)
    if values is ValueType.FP16:
        return np.frombuffer(data, dtype="<f2").astype(np.float32)
    return (np.frombuffer(data, dtype="<u2").astype(np.uint32) << 16).view(np.float32)


def read_shape(reader: BytesReader) -> Shape:
    """Return a rank and that many sizes."""
    rank = reader.u8()
    if rank not in (1, 3):
        raise reader.wrong(f"a value has rank {rank}, not 1 or 3")
    return reader.numbers(rank)
