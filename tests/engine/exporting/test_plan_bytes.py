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
from ticket.exporting.bytes_reader import BytesReader
from ticket.exporting.decode import decode
from ticket.exporting.encode import encode, numbers
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
from ticket.exporting.read_op import Stored
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
    layer = bytes([2, 0, 1 | 4 | 8, 2]) + struct.pack("<ff", 0.5, 0.0)  # ReLU, dense, a bias
    # Zeros before the nonzeros: 1 and 3. k = 1: "1" + "1", then "01" + "1", from the lowest bit on.
    weights = bytes([1 << 2, 2, 1, 0b11011]) + struct.pack("<ff", 1.5, -2.0)
    body = bytes([len(metadata)]) + metadata + bytes([1, 3, 1, 1]) + layer + weights
    head = b"TKTPLAN\x02" + struct.pack("<QI", 20 + len(body), zlib.crc32(body))
    assert encode(tiny(), {"model": "tiny"}) == head + body


def test_a_layer_without_zeros_has_no_positions() -> None:
    whole = encode(tiny(torch.ones(2, 3)), {})
    assert whole.endswith(bytes([0, 6]) + struct.pack("<6f", *[1.0] * 6))
    (layer,) = decode(whole).graph.ops
    assert isinstance(layer, Linear)
    assert layer.weight.equal(torch.ones(2, 3))


def test_values_are_numbered_in_the_order_of_writing() -> None:
    """A plan does not say which value an operation writes: it is the next one."""
    ops = (Activate(2, 0, Act.RELU), Activate(0, 1, Act.RELU6))
    graph = Graph(((2,), (2,), (2,)), ops, (2,), (1,))
    found = decode(encode(graph, {})).graph
    assert found.ops == (Activate(0, 1, Act.RELU), Activate(1, 2, Act.RELU6))
    assert (found.inputs, found.outputs) == ((0,), (2,))


def test_numbers_take_seven_bits_a_byte() -> None:
    assert numbers(0, 127, 128, 300, 1 << 21) == bytes([0, 127, 128, 1, 0xAC, 2, 128, 128, 128, 1])
    for number in (0, 1, 127, 128, 16383, 16384, 0xFFFFFFFF):
        assert BytesReader(numbers(number)).number() == number
        assert BytesReader(numbers(number)).number(most=number) == number
        with pytest.raises(TicketError):
            BytesReader(numbers(number)[:-1]).number()


@pytest.mark.parametrize(
    "data", [b"\x80\x00", b"\x85\x80\x00", b"\xff\xff\xff\xff\x1f", b"\xff" * 100]
)
def test_numbers_too_long_or_too_large_are_refused(data: bytes) -> None:
    with pytest.raises(TicketError, match="a number in it is too long"):
        BytesReader(data).number()


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
    assert plan.stored == (Stored(ValueType.FP32, 1, 2, 3 + 1 + 8),)
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
    with pytest.raises(TicketError, match="a plan without operations"):
        encode(Graph(((3,),), (), (0,), (0,)), {})
    with pytest.raises(TicketError, match="metadata is not JSON"):
        encode(tiny(), {"mean": float("nan")})


@pytest.mark.parametrize(
    ("at", "byte", "wrong"),
    [
        (0, b"X", "does not begin with TKTPLAN"),
        (7, b"\x01", "format version 1; this release reads version 2; export it again"),
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
    """A few numbers of a convolution say how many weights it has; nothing else need be there."""
    wide = Conv("c", 0, 1, torch.zeros(1, 1, 1, 1), Window((1, 1)))
    data = bytearray(encode(Graph(((1, 1, 1), (1, 1, 1)), (wide,), (0,), (1,)), {}))
    assert data[-8:] == bytes([0, 1, 1, 1, 0, 0, 0, 0])  # flags, channels, window, weights
    data[-7:-4] = numbers(1 << 30, 1 << 15, 1, 0)
    with pytest.raises(TicketError, match="0 nonzeros among 1152921504606846976 weights"):
        decode(resealed(bytes(data)))


def test_metadata_is_canonical() -> None:
    data = encode(tiny(), {"b": [1], "a": "é"})
    assert json.loads(data[21 : 21 + data[20]]) == {"a": "é", "b": [1]}
    assert data == encode(tiny(), {"a": "é", "b": [1]})
