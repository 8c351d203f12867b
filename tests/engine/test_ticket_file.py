"""Whatever is wrong with a ticket file, and whoever did it, one clear line says so."""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from ticket import ticket_file
from ticket.errors import TicketError
from ticket.ticket_file import canonical, encode, read_record
from ticket.tickets import Ticket, create, load


def small() -> Ticket:
    torch.manual_seed(0)
    layers = {"conv": nn.Conv2d(1, 3, 3), "norm": nn.BatchNorm2d(3), "first": nn.Linear(3, 3)}
    mask = (torch.arange(27) % 3 == 0).reshape(3, 1, 3, 3)
    record = {
        "model": {"name": "small", "options": {"width": 3}},
        "rounds": [{"density": 1.0, "loss": 2.5e-05}],
        "parent": None,
    }
    return create(nn.Sequential(OrderedDict(layers)), {"conv.weight": mask}, record=record)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ticket.safetensors"


def header_of(data: bytes) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return header


def with_header(data: bytes, header: object) -> bytes:
    text = json.dumps(header).encode()
    start = 8 + int.from_bytes(data[:8], "little")
    return len(text).to_bytes(8, "little") + text + data[start:]


def forged(change: Callable[[dict[str, Any], dict[str, Tensor]], None], path: Path) -> bytes:
    """Return a ticket changed by one who can compute every checksum."""
    small().save(path)
    document, tensors = ticket_file.read(path)
    change(document, tensors)
    return encode(document, tensors)


def test_a_file_cut_anywhere_is_refused(path: Path) -> None:
    small().save(path)
    data = path.read_bytes()
    for size in reversed(range(len(data))):
        os.truncate(path, size)
        with pytest.raises(TicketError, match=str(path)):
            load(path)
    path.write_bytes(data + b"\0")
    with pytest.raises(TicketError, match=str(path)):
        load(path)


def test_a_file_with_any_bit_flipped_is_refused(path: Path) -> None:
    small().save(path)
    data = path.read_bytes()
    with path.open(
        "r+b", buffering=0
    ) as file:  # a file made anew each time would take twice as long
        for bit in range(0, len(data) * 8, 7):
            at, whole = bit // 8, data[bit // 8]
            os.pwrite(file.fileno(), bytes([whole ^ 1 << bit % 8]), at)
            with pytest.raises(TicketError, match=str(path)) as caught:
                load(path)
            assert "\n" not in str(caught.value)
            if at < 8 + int.from_bytes(data[:8], "little"):
                with pytest.raises(TicketError, match=str(path)):
                    read_record(path)
            os.pwrite(file.fileno(), bytes([whole]), at)
    load(path)


@pytest.mark.parametrize("length", [1 << 30, 90 << 20, (1 << 64) - 1, 1 << 63, 0, 1])
def test_a_header_length_that_lies_is_refused(path: Path, length: int) -> None:
    small().save(path)
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    with pytest.raises(TicketError, match=f"{path} is not a ticket, or is cut or damaged"):
        load(path)


def metadata(text: str) -> Callable[[dict[str, Any]], None]:
    def change(header: dict[str, Any]) -> None:
        header["__metadata__"]["ticket"] = text

    return change


def first_state(**fields: object) -> Callable[[dict[str, Any]], None]:
    def change(header: dict[str, Any]) -> None:
        header["state.conv.bias"].update(fields)

    return change


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda header: header.pop("__metadata__"), "no ticket: its metadata has no 'ticket'"),
        (metadata("{"), "its record is not JSON"),
        (metadata("[1]"), "its record is not a JSON object"),
        (metadata("[" * 100_000), "its record is not JSON"),
        (metadata('{"a":' * 100_000 + "1" + "}" * 100_000), "its record is not JSON"),
        (metadata("{}"), "no format version"),
        (metadata('{"format":true}'), "no format version"),
        (metadata('{"format":2}'), "has format version 2; this release reads version 1; upgrade"),
        (metadata('{"format":1}'), "does not match its checksum"),
        (metadata('{"format":1,"loss":NaN}'), "its record is not JSON"),
        (first_state(data_offsets=[0, 12]), "cut or damaged"),
        (first_state(data_offsets=[1 << 40, (1 << 40) + 12]), "cut or damaged"),
        (first_state(data_offsets=[12, 0]), "cut or damaged"),
        (first_state(shape=[1 << 62, 4]), "cut or damaged"),
        (first_state(shape=[1, 3]), r"the record says F32 \[3\]"),
        (first_state(dtype="I32"), "'state.conv.bias' is I32"),
    ],
)
def test_a_hostile_header_is_refused(
    path: Path, change: Callable[[dict[str, Any]], object], wrong: str
) -> None:
    small().save(path)
    data = path.read_bytes()
    header = header_of(data)
    change(header)
    path.write_bytes(with_header(data, header))
    for reader in (load, read_record):
        with pytest.raises(TicketError, match=wrong) as caught:
            reader(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def put(name: str, tensor: Tensor) -> Callable[[dict[str, Any], dict[str, Tensor]], None]:
    return lambda document, tensors: tensors.update({name: tensor})


def drop(name: str) -> Callable[[dict[str, Any], dict[str, Tensor]], None]:
    return lambda document, tensors: tensors.__delitem__(name)


def say(field: str, value: object) -> Callable[[dict[str, Any], dict[str, Tensor]], None]:
    return lambda document, tensors: document.update({field: value})


BITS = torch.tensor([0b01001001, 0b10010010, 0b00100100, 0b00000001], dtype=torch.uint8)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (drop("mask.conv.weight"), "do not keep as many weights as its record says"),
        (drop("state.conv.weight"), "mask for 'conv.weight', but no such weight"),
        (drop("state.first.weight"), "its state has no 'first.weight'"),
        (put("other", torch.zeros(1)), "neither masks nor state"),
        (put("mask.conv.weight", BITS[:3].clone()), "mask of 'conv.weight' does not fit"),
        (put("mask.conv.weight", BITS.reshape(2, 2)), "mask of 'conv.weight' does not fit"),
        (put("mask.conv.weight", BITS.int()), "mask of 'conv.weight' does not fit"),
        (put("mask.conv.weight", BITS | 128), "mask of 'conv.weight' does not fit .* padding bit"),
        (put("mask.conv.weight", BITS & 127), "do not keep as many weights|are not \\+0.0"),
        (put("mask.conv.bias", BITS[:1] & 7), "do not keep as many weights"),
        (put("mask.nowhere", BITS), "mask for 'nowhere', but no such weight"),
        (put("state.conv.weight", -torch.zeros(3, 1, 3, 3)), "masked weights .* are not \\+0.0"),
        (put("state.conv.weight", torch.ones(3, 1, 3, 3)), "masked weights .* are not \\+0.0"),
        (put("state.conv.weight", torch.zeros(27, dtype=torch.int64)), "no floating-point"),
        (say("kept", {"conv.weight": 10}), "do not keep as many weights"),
        (say("prunable", ["first.weight"]), "mask for 'conv.weight', but no prunable weight"),
        (say("prunable", "conv.weight"), "does not list the prunable"),
        (say("prunable", [1]), "does not list the prunable"),
        (say("prunable", ["conv.weight", "conv.weight"]), "does not list the prunable"),
        (say("prunable", ["nowhere"]), "its state has no 'nowhere'"),
        (say("aliases", []), "'aliases' are not lists of names"),
        (say("aliases", {"first.weight": "x"}), "'aliases' are not lists of names"),
        (say("model", "net"), "record's 'model' is not dict"),
        (say("model", {"name": 3}), "'model' is not a name with options"),
        (say("rounds", {}), "record's 'rounds' is not list"),
    ],
)
def test_a_forged_ticket_with_right_checksums_is_refused(
    path: Path, change: Callable[[dict[str, Any], dict[str, Tensor]], None], wrong: str
) -> None:
    path.write_bytes(forged(change, path))
    with pytest.raises(TicketError, match=wrong) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path} is not a valid ticket")


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        (None, "does not list the tensors"),
        ([1], "does not list the tensors"),
        ([], "the tensor 'state.w' is not in its record"),
        ([{"name": "state.w", "dtype": "F32", "shape": [2.0], "sha256": ""}], "does not list"),
        ([{"name": "state.w", "dtype": "F32", "shape": [2], "sha256": ""}] * 2, "tensor twice"),
        ([{"name": "state.w", "dtype": "F32", "shape": [3], "sha256": ""}], "the record says"),
    ],
)
def test_a_forged_tensor_table_is_refused(path: Path, table: object, wrong: str) -> None:
    document = {"format": 1, "tensors": table}
    document["sha256"] = ticket_file._checksum(document)
    path.write_bytes(save_tensors({"state.w": torch.zeros(2)}, {"ticket": canonical(document)}))
    for reader in (load, read_record):
        with pytest.raises(TicketError, match=f"^{path} is damaged: .*{wrong}"):
            reader(path)


@pytest.mark.parametrize("shape", [[0, 1 << 63], [0, 1 << 40], [-1, 0]])
def test_a_dimension_beyond_reason_is_refused(path: Path, shape: list[int]) -> None:
    entry = {"name": "state.w", "dtype": "F32", "shape": shape, "sha256": ""}
    document: dict[str, object] = {"format": 1, "tensors": [entry]}
    document["sha256"] = ticket_file._checksum(document)
    placed = {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}
    header = {"__metadata__": {"ticket": canonical(document)}, "state.w": placed}
    path.write_bytes(with_header(bytes(8), header))
    with pytest.raises(TicketError, match=r"does not list the tensors|cut or damaged"):
        load(path)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04 an archive", b"\x80\x04. a pickle" * 9, b"\0" * 64]
)
def test_a_file_of_another_kind_is_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(TicketError, match=f"^{path} is not a ticket, or is cut or damaged"):
        load(path)


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, wrong in (("pipe", "not a regular file"), (".", "not a reg"), ("no", "no such file")):
        with pytest.raises(TicketError, match=wrong):
            load(tmp_path / name)
