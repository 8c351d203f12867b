"""A ticket comes back from its file exactly as it was, or is refused with one clear line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from torch.optim import SGD

from ticket import ticket_file
from ticket.errors import TicketError
from ticket.masks import prunable
from ticket.ticket_file import canonical, encode, read_record
from ticket.tickets import Ticket, create, load

RECORD: dict[str, Any] = {
    "model": {"name": "small", "options": {"width": 3}},
    "dataset": {"name": "digits", "options": {}},
    "rounds": [{"density": 1.0, "loss": 2.5e-05}],
    "seeds": {"seed": 1},
    "parent": None,
}


class Net(nn.Module):
    """Convolution, BatchNorm with its buffers, and two linear layers that share weight and bias."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.norm = nn.BatchNorm2d(3)
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.second.bias = self.first.bias

    def forward(self, images: Tensor) -> Tensor:
        features = self.norm(self.conv(images)).mean((2, 3))
        result: Tensor = self.second(self.first(features).relu())
        return result


def net(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    model = Net()
    model(torch.randn(4, 1, 5, 5))  # moves the running statistics
    return model


def some_masks() -> dict[str, Tensor]:
    return {"conv.weight": (torch.arange(27) % 3 == 0).reshape(3, 1, 3, 3)}


def small() -> Ticket:
    return create(net(), some_masks(), record=RECORD)


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


def same(left: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> bool:
    return list(left) == list(right) and all(
        left[name].dtype == right[name].dtype and torch.equal(left[name], right[name])
        for name in left
    )


def test_a_ticket_comes_back_as_it_was(path: Path) -> None:
    ticket = small()
    ticket.save(path)
    again = load(path)
    assert same(again.masks, ticket.masks)
    assert same(again.state, ticket.state)
    assert again.record == ticket.record
    assert (again.kept, again.prunable, again.density) == (18, 36, 0.5)
    assert "norm.running_mean" in again.state
    assert int(again.state["norm.num_batches_tracked"]) == 1
    assert {name: again.record[name] for name in RECORD} == RECORD


def test_loaded_tensors_can_be_written_to_without_touching_the_file(path: Path) -> None:
    small().save(path)
    data = path.read_bytes()
    again = load(path)
    for tensor in (*again.masks.values(), *again.state.values()):
        tensor.fill_(1)
    assert path.read_bytes() == data


def test_loaded_tensors_do_not_change_with_the_file(path: Path) -> None:
    ticket = small()
    ticket.save(path)
    again = load(path)
    with path.open("r+b") as file:  # in place, as `cp` over the file does
        file.write(bytes(path.stat().st_size))
    assert same(again.state, ticket.state)


def test_equal_tickets_give_equal_bytes_however_they_were_made(tmp_path: Path) -> None:
    masks = {name: w > 0 for name, w in prunable(net()).items()}
    backwards = dict(reversed(masks.items()))
    create(net(), masks, record=RECORD).save(tmp_path / "a")
    create(net(), backwards, record=dict(reversed(RECORD.items()))).save(tmp_path / "b")
    load(tmp_path / "a").save(tmp_path / "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "c").read_bytes()


def test_the_file_is_what_the_design_says(path: Path) -> None:
    small().save(path)
    data = path.read_bytes()
    tensors = load_tensors(data)
    assert tensors["mask.conv.weight"].tolist() == [0b01001001, 0b10010010, 0b00100100, 0b00000001]
    assert "state.second.weight" not in tensors
    document = json.loads(header_of(data)["__metadata__"]["ticket"])
    assert document["format"] == 1
    assert document["kept"] == {"conv.weight": 9}
    assert document["prunable"] == ["conv.weight", "first.weight"]
    assert document["aliases"] == {
        "first.weight": ["second.weight"],
        "first.bias": ["second.bias"],
    }


def test_the_record_is_read_without_the_tensors(path: Path) -> None:
    small().save(path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # a tensor is damaged, and nobody looks
    path.write_bytes(data)
    record = read_record(path)
    assert record["model"] == {"name": "small", "options": {"width": 3}}
    table = {entry["name"]: (entry["dtype"], entry["shape"]) for entry in record["tensors"]}
    assert table["mask.conv.weight"] == ("U8", [4])
    assert table["state.norm.num_batches_tracked"] == ("I64", [])
    with pytest.raises(TicketError, match="does not match its checksum"):
        load(path)


def test_masked_weights_are_stored_as_plus_zero_and_the_rest_untouched() -> None:
    model = net()
    ticket = create(model, some_masks(), record=RECORD)
    stored, mask = ticket.state["conv.weight"], some_masks()["conv.weight"]
    assert not stored[~mask].view(torch.int32).any()
    assert torch.equal(stored[mask], model.conv.weight[mask])
    assert model.conv.weight[~mask].all()  # the model itself keeps its weights


def test_a_ticket_can_start_from_an_earlier_state(path: Path) -> None:
    early = {name: tensor.clone() for name, tensor in net(1).state_dict().items()}
    ticket = create(net(2), {}, record=RECORD, state=early)
    assert torch.equal(ticket.state["norm.running_mean"], early["norm.running_mean"])
    assert (ticket.kept, ticket.prunable) == (36, 36)


def test_applying_a_ticket_restores_shared_weights_buffers_and_masks() -> None:
    source, target = net(0), net(1)
    ticket = create(source, some_masks(), record=RECORD)
    ticket.apply(target)
    expected = source.state_dict()
    expected["conv.weight"] = torch.where(some_masks()["conv.weight"], expected["conv.weight"], 0.0)
    assert same(target.state_dict(), expected)
    assert target.second.weight is target.first.weight


def unshared() -> nn.Module:
    model = net()
    model.second = nn.Linear(3, 3)
    return model


def without_norm() -> nn.Module:
    model = net()
    model.norm = nn.Identity()  # type: ignore[assignment]
    return model


def wider() -> nn.Module:
    model = net()
    model.conv = nn.Conv2d(1, 4, 3)
    return model


@pytest.mark.parametrize(
    ("model", "wrong"),
    [
        (unshared, "lacks tensors that Net has: second.bias, second.weight"),
        (without_norm, "has tensors unknown to Net: norm.bias, .* and 2 more"),
        (wider, r"shape \(3,\) in the ticket, \(4,\) in Net|shape \(3, 1, 3, 3\) in the ticket"),
        (lambda: net().double(), "is torch.float32 in the ticket, torch.float64 in Net"),
    ],
)
def test_a_ticket_for_another_model_is_refused_and_the_model_left_alone(
    model: Callable[[], nn.Module], wrong: str
) -> None:
    target = model()
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    with pytest.raises(TicketError, match=wrong):
        small().apply(target)
    assert same(target.state_dict(), before)


class Three(nn.Module):
    """Three linear layers, of which the third shares the weight of the first or of the second."""

    def __init__(self, shared: str) -> None:
        super().__init__()
        self.first, self.second, self.third = (nn.Linear(2, 2, bias=False) for _ in range(3))
        self.third.weight = self.get_submodule(shared).weight  # type: ignore[assignment]


def test_a_model_that_shares_other_weights_is_refused() -> None:
    ticket = create(Three("first"), {}, record={})
    ticket.apply(Three("first"))
    with pytest.raises(TicketError, match=r"Three shares weights as \{'second.weight'"):
        ticket.apply(Three("second"))


def test_a_ticket_is_held_through_a_users_own_loop() -> None:
    ticket, model = small(), net(3)
    ticket.apply(model)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    with ticket.held(model, optimizer):
        for _ in range(3):
            model(torch.randn(4, 1, 5, 5)).square().sum().backward()
            optimizer.step()
    assert not model.conv.weight[~ticket.masks["conv.weight"]].any()


@settings(deadline=None)
@given(st.data())
def test_masks_of_any_size_and_dtype_come_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    columns, rows = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    flat = data.draw(st.lists(st.booleans(), min_size=rows * columns, max_size=rows * columns))
    dtype = data.draw(
        st.sampled_from([torch.float32, torch.float64, torch.float16, torch.bfloat16])
    )
    mask = torch.tensor(flat).reshape(rows, columns)
    ticket = create(nn.Linear(columns, rows).to(dtype), {"weight": mask}, record={})
    path = tmp_path_factory.mktemp("any") / "t"
    ticket.save(path)
    again = load(path)
    assert same(again.masks, {"weight": mask})
    assert same(again.state, ticket.state)
    assert again.kept == sum(flat)


def test_a_file_cut_anywhere_is_refused(path: Path) -> None:
    small().save(path)
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(TicketError, match=str(path)):
            load(path)
    path.write_bytes(data + b"\0")
    with pytest.raises(TicketError, match=str(path)):
        load(path)


def test_a_file_with_any_bit_flipped_is_refused(path: Path) -> None:
    small().save(path)
    data = path.read_bytes()
    for bit in range(0, len(data) * 8, 7):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(TicketError, match=str(path)) as caught:
            load(path)
        assert "\n" not in str(caught.value)
        if bit // 8 < 8 + int.from_bytes(data[:8], "little"):
            with pytest.raises(TicketError, match=str(path)):
                read_record(path)


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


class Talkative(nn.Linear):
    """A layer with state that is no tensor."""

    def get_extra_state(self) -> str:
        return "words"

    def set_extra_state(self, state: object) -> None:
        pass


def test_what_a_ticket_cannot_hold_is_refused_when_it_is_made(path: Path) -> None:
    with pytest.raises(TicketError, match="record is not JSON: Out of range float"):
        create(net(), {}, record={"loss": float("nan")})
    with pytest.raises(TicketError, match="record is not JSON: Object of type Tensor"):
        create(net(), {}, record={"loss": torch.tensor(1.0)})
    with pytest.raises(TicketError, match="extra state '_extra_state' of Talkative is no tensor"):
        create(Talkative(2, 2), {}, record={})
    model = nn.Linear(2, 2)
    model.register_buffer("short", torch.zeros(1, dtype=torch.int16))
    with pytest.raises(TicketError, match=r"'state.short' is torch.int16; a ticket holds F32, F16"):
        create(model, {}, record={}).save(path)
    assert not path.exists()


def test_a_ticket_changed_by_hand_is_not_saved(path: Path) -> None:
    ticket = small()
    ticket.state["conv.weight"].fill_(1.0)
    with pytest.raises(TicketError, match=r"masked weights of 'conv.weight' are not"):
        ticket.save(path)
    assert not path.exists()
