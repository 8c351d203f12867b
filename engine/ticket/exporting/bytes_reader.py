"""Little-endian fields read one after the other, never beyond the end."""

from __future__ import annotations

import struct

from ticket.errors import TicketError


class BytesReader:
    """Read a plan's bytes; every method raises TicketError where they end too early."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    @property
    def left(self) -> int:
        """Return how many bytes are still to read."""
        return len(self._data) - self._at

    def take(self, size: int) -> memoryview:
        """Return the next `size` bytes, not copied."""
        if size > self.left:
            raise self.wrong(f"it ends {size - self.left} bytes too early, at byte {self._at}")
        self._at += size
        return self._data[self._at - size : self._at]

    def count(self, least: int) -> int:
        """Return a number of things of `least` bytes or more each, which must fit what is left."""
        number = self.number()
        if number * least > self.left:
            raise self.wrong(f"it counts {number} things in the {self.left} bytes that are left")
        return number

    def number(self, most: int = 0xFFFFFFFF) -> int:
        """Return a number of up to `most`: seven bits a byte, in the shortest form alone."""
        value, shift = 0, 0
        while True:
            byte = self.u8()
            value |= (byte & 127) << shift
            if value > most or (shift and not byte):
                raise self.wrong("a number in it is too long")
            if byte < 128:
                return value
            shift += 7

    def numbers(self, count: int) -> tuple[int, ...]:
        """Return several of them."""
        return tuple(self.number() for _ in range(count))

    def u8(self) -> int:
        """Return an unsigned byte."""
        return self.take(1)[0]

    def u32(self) -> int:
        """Return an unsigned number of four bytes."""
        return int(struct.unpack("<I", self.take(4))[0])

    def u64(self) -> int:
        """Return an unsigned number of eight bytes."""
        return int(struct.unpack("<Q", self.take(8))[0])

    def f32(self) -> float:
        """Return a float of four bytes."""
        return float(struct.unpack("<f", self.take(4))[0])

    def wrong(self, what: str) -> TicketError:
        """Return the error that says what is wrong with the bytes."""
        return TicketError(f"the plan is damaged: {what}; restore the file or export it again")
