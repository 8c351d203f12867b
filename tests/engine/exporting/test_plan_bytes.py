"""A plan is exactly the bytes of the format, and no other bytes are taken for one."""

from __future__ import annotations

import json
import random
import struct
import zlib
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ticket.errors import TicketError
from ticket.exporting.decode import Stored, decode
from ticket.exporting.encode import encode
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
    Slot,
    Unknown,
    Window,
)
from ticket.exporting.passes.rounding import round_weights
from ticket.exporting.value_type import ValueType

WEIGHT = torch.tensor([[0.0, 1.5, 0.0], [0.0, 0.0, -2.0]])


def tiny(weight: Tensor = WEIGHT) -> Graph:
    layer = Linear("fc", 0, 1, weight, torch.tensor([0.5, 0.0]), act=Act.RELU, dense=True)
    return Graph(((3,), (2,)), (layer,), (0,), (1,))


def every_operation() -> Graph:
    """Return a graph with each operation once, with fields that are all different."""
    torch.manual_seed(0)
    weight = torch.randn(4, 1, 2, 3)
    window = Window((2, 3), (1, 2), (1, 2, 3, 4), (2, 1))
    small = Window((2, 2), (2, 1), (0, 1, 1, 0))
    ops: tuple[Op, ...] = (
        Conv("c", 0, 1, weight, window, None, 2, act=Act.RELU6),
        Conv("d", 0, 2, weight, window, torch.ones(4), 2, residual=1, dense=True),
        Add(1, 2, 3, Act.RELU),
        GlobalAvg(3, 4),
        Mul(3, 4, 5, Act.RELU6),
        MaxPool(5, 6, replace(small, dilation=(2, 1))),
        AvgPool(5, 7, small, count_include_pad=False),
        Concat((6, 7), 8),
        Affine(8, 9, torch.arange(8.0), torch.ones(8), Act.RELU),
        Pad(9, 10, (1, 2, 3, 4), 0.25),
        Activate(10, 11, Act.RELU),
        GlobalMax(11, 12),
        Reshape(12, 13),
        Linear("l", 13, 14, torch.randn(2, 8), torch.ones(2)),
    )
    image = (4, 8, 7)
    pooled = (4, 4, 7)
    shapes = [
        (2, 6, 9), image, image, image, (4, 1, 1), image, pooled, pooled, (8, 4, 7), (8, 4, 7),
        (8, 8, 13), (8, 8, 13), (8, 1, 1), (8,), (2,),
    ]  # fmt: skip
    return Graph(tuple(shapes), ops, (0,), (14,))


def resealed(data: bytes) -> bytes:
    """Give bytes that were changed the length and checksum that they should have."""
    body = data[20:]
    return data[:8] + struct.pack("<QI", len(data), zlib.crc32(body)) + body


def test_a_plan_is_these_bytes() -> None:
    metadata = b'{"model":"tiny"}'
    layer = struct.pack("<BIIIIIBB", 2, 0, 1, 0xFFFFFFFF, 2, 3, 1, 1)
    bias = b"\x01" + struct.pack("<ff", 0.5, 0.0)
    # Zeros before the nonzeros: 1 and 3. k = 1: "1" + "1", then "01" + "1", from the lowest bit on.
    weights = struct.pack("<BBQQ", 0, 1, 2, 1) + bytes([0b11011]) + struct.pack("<ff", 1.5, -2.0)
    body = b"".join(
        (
            struct.pack("<I", len(metadata)) + metadata,
            struct.pack("<I", 2) + struct.pack("<BI", 1, 3) + struct.pack("<BI", 1, 2),
            struct.pack("<II", 1, 0) + struct.pack("<II", 1, 1),
            struct.pack("<I", 1) + layer + bias + weights,
        )
    )
    head = b"TKTPLAN\x01" + struct.pack("<QI", 20 + len(body), zlib.crc32(body))
    assert encode(tiny(), {"model": "tiny"}) == head + body


def test_every_operation_comes_back_with_all_its_fields() -> None:
    graph = every_operation()
    plan = decode(encode(graph, {}))
    assert plan.graph.values == graph.values
    for found, given in zip(plan.graph.ops, graph.ops, strict=True):
        assert type(found) is type(given)
        if isinstance(given, Conv | Linear):
            assert isinstance(found, Conv | Linear)
            assert found.weight.equal(given.weight)
            assert (found.bias is None) == (given.bias is None)
            given = replace(given, name=found.name, weight=found.weight, bias=found.bias)
            found = replace(found)
        assert repr(found) == repr(given)


def test_a_plan_tells_how_each_layer_is_stored() -> None:
    plan = decode(encode(tiny(), {"classes": ["a", "b"]}))
    assert plan.metadata == {"classes": ["a", "b"]}
    assert plan.stored == (Stored(ValueType.FP32, 1, 2, 18 + 1 + 8),)
    assert [op.name for op in plan.graph.ops if isinstance(op, Linear)] == ["linear0"]


@pytest.mark.parametrize("values", [ValueType.FP16, ValueType.BF16])
def test_short_values_take_half_the_bytes_and_come_back_rounded(values: ValueType) -> None:
    graph = round_weights(tiny(WEIGHT / 3), values)
    data = encode(graph, {}, values)
    (layer,) = decode(data).graph.ops
    assert isinstance(layer, Linear)
    assert layer.weight.equal((WEIGHT / 3).to(values.dtype).float())
    assert len(data) == len(encode(graph, {})) - 4


def test_unknown_operators_and_metadata_that_is_not_json_are_refused() -> None:
    graph = Graph(((3,), (3,)), (Unknown("aten.silu.default", (0,), 1, (Slot(0),)),), (0,), (1,))
    with pytest.raises(TicketError, match=r"the executor does not know aten\.silu\.default"):
        encode(graph, {})
    with pytest.raises(TicketError, match="metadata is not JSON"):
        encode(tiny(), {"mean": float("nan")})


@pytest.mark.parametrize(
    ("at", "byte", "wrong"),
    [
        (0, b"X", "does not begin with TKTPLAN"),
        (7, b"\x02", "format version 2; this release reads version 1"),
        (8, b"\x00", "it says 0 bytes and has"),
        (16, b"\x00\x00\x00\x00", "checksum does not match"),
        (-1, b"\x00", "checksum does not match"),
    ],
)
def test_a_damaged_header_is_refused(at: int, byte: bytes, wrong: str) -> None:
    data = bytearray(encode(tiny(), {"model": "tiny"}))
    data[at : at + len(byte) if at >= 0 else None] = byte
    with pytest.raises(TicketError, match=wrong):
        decode(bytes(data))


@pytest.mark.parametrize("graph", [tiny(), every_operation()], ids=["tiny", "every operation"])
def test_a_plan_cut_anywhere_is_refused(graph: Graph) -> None:
    data = encode(graph, {"model": "tiny"})
    for end in range(len(data)):
        with pytest.raises(TicketError):
            decode(data[:end])
        with pytest.raises(TicketError):
            decode(resealed(data[:end].ljust(20, b"\x00")))
    with pytest.raises(TicketError, match="1 bytes follow its last operation"):
        decode(resealed(data + b"\x00"))


@pytest.mark.parametrize("seed", range(4))
def test_a_changed_plan_is_refused_in_one_line_or_read_as_another(seed: int) -> None:
    draw = random.Random(seed)
    data = encode(every_operation(), {"model": "every"})
    refusals = []
    for _ in range(500):
        changed = bytearray(data)
        for _ in range(draw.randint(1, 3)):
            changed[draw.randrange(20, len(data))] ^= 1 << draw.randrange(8)
        try:
            decode(resealed(bytes(changed)))
        except TicketError as error:
            refusals.append(str(error))
    assert len(refusals) > 100
    assert not [text for text in refusals if "\n" in text]


def test_a_layer_of_billions_of_zeros_is_refused_or_costs_nothing() -> None:
    """13 numbers of a convolution say how many weights it has; nothing else need be there."""
    wide = Conv("c", 0, 1, torch.zeros(1, 1, 1, 1), Window((1, 1)))
    data = bytearray(encode(Graph(((1, 1, 1), (1, 1, 1)), (wide,), (0,), (1,)), {}))
    start = data.index(struct.pack("<13I", *(1,) * 6, *(0,) * 4, 1, 1, 1)[:24])
    data[start : start + 8] = struct.pack("<II", 1 << 30, 1 << 30)
    with pytest.raises(TicketError, match="0 nonzeros among 1152921504606846976 weights"):
        decode(resealed(bytes(data)))


def test_metadata_is_canonical() -> None:
    data = encode(tiny(), {"b": [1], "a": "é"})
    size = struct.unpack_from("<I", data, 20)[0]
    assert json.loads(data[24 : 24 + size]) == {"a": "é", "b": [1]}
    assert data == encode(tiny(), {"a": "é", "b": [1]})
