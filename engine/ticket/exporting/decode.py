"""From the bytes of a plan back to a graph, for `ticket show` and the tests."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ticket.errors import TicketError
from ticket.exporting.bytes_reader import BytesReader
from ticket.exporting.checking import check
from ticket.exporting.encode import MAGIC
from ticket.exporting.ir import Graph, Op
from ticket.exporting.read_op import MOST_OPS, Operation, Stored, read_shape


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
    values = [read_shape(reader)]
    count, result = reader.count(2), reader.number()
    if not 1 <= count <= MOST_OPS:
        raise reader.wrong(f"it counts {count} operations, not 1 to {MOST_OPS}")
    ops: list[Op] = []
    stored: list[Stored | None] = []
    for place in range(count):
        operation = Operation(reader, values, place)
        ops.append(operation.read())
        values.append(operation.made(ops[-1]))
        stored.append(operation.stored)
    if reader.left:
        raise reader.wrong(f"{reader.left} bytes follow its last operation")
    try:
        graph = check(Graph(tuple(values), tuple(ops), (0,), (result,)))
    except TicketError as error:
        raise reader.wrong(str(error)) from error
    return Plan(graph, metadata, tuple(stored))


def _opened(reader: BytesReader, data: bytes) -> memoryview:
    """Check the header up to the checksum and return what that covers."""
    magic = bytes(reader.take(len(MAGIC)))
    if magic[:-1] != MAGIC[:-1]:
        raise TicketError("this is no plan: it does not begin with TKTPLAN")
    if magic != MAGIC:
        raise TicketError(
            f"the plan has format version {magic[-1]}; this release reads version {MAGIC[-1]}; "
            "export it again, or read it with that release"
        )
    length = reader.u64()
    if length != len(data):
        raise reader.wrong(f"it says {length} bytes and has {len(data)}")
    return memoryview(data)[len(MAGIC) + 12 :]


def _metadata(reader: BytesReader) -> Mapping[str, Any]:
    try:
        metadata = json.loads(bytes(reader.take(reader.number())))
    except (ValueError, RecursionError) as error:
        raise reader.wrong("its metadata is not JSON") from error
    if not isinstance(metadata, dict):
        raise reader.wrong("its metadata is not a JSON object")
    return metadata
