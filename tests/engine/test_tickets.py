"""A ticket comes back from its file exactly as it was, or is refused with one clear line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load as load_tensors
from torch import Tensor, nn
from torch.optim import SGD

from ticket.errors import TicketError
from ticket.masks import prunable
from ticket.ticket_file import read_record
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
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    document = json.loads(header["__metadata__"]["ticket"])
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
