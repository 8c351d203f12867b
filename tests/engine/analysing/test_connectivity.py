"""Lines between networks: known barriers, BatchNorm estimated anew, copies that differ in noise alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ticket.analysing.connectivity import Line, between, line
from ticket.analysing.stability import dense_at, stability
from ticket.analysing.statistics import reestimate
from ticket.batches import Splits, split
from ticket.dataset import DataSet
from ticket.errors import UsageError
from ticket.finding import find_one
from ticket.folder import Folder, read_json
from ticket.network import state_of
from ticket.request import Objects, Request
from ticket.task import Task
from ticket.ticket_training import Where
from ticket.tickets import load

CPU = torch.device("cpu")


def network(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Return a network with BatchNorm and dropout."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(),
        nn.Linear(16, classes),
    )  # fmt: skip


@pytest.fixture
def splits(points: DataSet) -> Splits:
    """Return the examples of 4 classes, 20 of them for tests."""
    return split(points, 0, CPU)


def linear(first: float) -> dict[str, Tensor]:
    """Return a state whose logits are a bias alone: class 0 has `first`, the others 0."""
    weight = torch.zeros(4, 16)
    return {"1.weight": weight, "1.bias": torch.tensor([first, 0.0, 0.0, 0.0])}


def test_the_line_between_two_constant_networks_is_known(splits: Splits) -> None:
    """Both ends say one class for all: 5 of 20 are right; nothing on the way is better or worse."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 4))
    found = line(model, linear(1.0), linear(-1.0), splits, points=5)
    assert found.shares == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert found.errors == (0.75,) * 5
    assert (found.barrier, found.stable) == (0.0, True)


def test_a_mirrored_network_is_as_good_and_lies_behind_a_barrier(splits: Splits) -> None:
    """Hidden units in the opposite order: the same function, far away in the space of weights."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    inputs = splits.train.normalised(splits.train.images)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), splits.train.labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    one = state_of(model)
    other = {
        "1.weight": one["1.weight"].flip(0),
        "1.bias": one["1.bias"].flip(0),
        "3.weight": one["3.weight"].flip(1),
        "3.bias": one["3.bias"],
    }
    found = line(model, one, other, splits)
    assert found.errors[0] == found.errors[-1] < 0.2
    assert (len(found.errors), found.stable) == (30, False)


@pytest.mark.parametrize(
    ("errors", "barrier", "stable"),
    [((0.1, 0.2, 0.1), 0.1, False), ((0.1, 0.11, 0.1), 0.01, True), ((0.1, 0.1, 0.3), 0.1, False)],
)
def test_a_barrier_is_the_highest_error_over_the_mean_of_the_ends(
    errors: tuple[float, ...], barrier: float, stable: bool
) -> None:
    found = Line((0.0, 0.5, 1.0), errors)
    assert found.barrier == pytest.approx(barrier)
    assert found.stable is stable


def test_the_ends_of_a_line_are_the_two_networks_to_the_bit() -> None:
    one, other = torch.tensor([0.1, 3.0]), torch.tensor([0.3, -1.0])
    assert torch.equal(between(one, other, 0.0), one)
    assert torch.equal(between(one, other, 1.0), other)
    assert torch.equal(between(one, other, 0.5), torch.tensor([0.2, 1.0]))
    assert torch.equal(between(torch.tensor(3), torch.tensor(9), 0.5), torch.tensor(3))


def test_unlike_networks_have_no_line(splits: Splits) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 4))
    with pytest.raises(UsageError, match="not alike"):
        line(model, linear(1.0), {"1.weight": torch.zeros(4, 16)}, splits)
    with pytest.raises(UsageError, match="2 points"):
        line(model, linear(1.0), linear(1.0), splits, points=1)


def test_statistics_are_those_of_the_training_examples(splits: Splits) -> None:
    """One batch holds all 72 of them: mean and unbiased variance by hand."""
    torch.manual_seed(0)
    model = network((1, 4, 4), 4)
    weights = {name: p.clone() for name, p in model.named_parameters()}
    with torch.no_grad():
        features = model[0](splits.train.normalised(splits.train.images))  # type: ignore[index]

    assert reestimate(model, splits.train)
    norm: Any = model[1]  # type: ignore[index]
    torch.testing.assert_close(norm.running_mean, features.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, features.var((0, 2, 3)))
    assert norm.momentum == 0.1
    assert model.training
    assert all(torch.equal(p, weights[name]) for name, p in model.named_parameters())


def test_a_network_without_statistics_is_left_alone(splits: Splits) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 4))
    assert not reestimate(model, splits.train)


Make = Callable[..., Request]


@pytest.fixture
def late(request_for: Make, tmp_path: Path) -> Folder:
    """Return a run that is rewound to iteration 4."""
    request = request_for(method="lth", rewind="4it", recipe={"rounds": 1})
    return Folder(find_one(request, Objects(model=network)).folder)


def test_copies_of_a_ticket_differ_in_noise_alone(late: Folder, tmp_path: Path) -> None:
    ticket, where = load(late.ticket), Where(runs_folder=tmp_path / "copies")
    found = stability(ticket, where, points=3, objects=Objects(model=network))
    one, other = (Folder(folder) for folder in found.folders)
    starts = [load(copy.round_ticket(0)) for copy in (one, other)]
    ends = [load(copy.trained) for copy in (one, other)]

    assert (found.start, found.density, len(found.lines)) == (4, ticket.density, 1)
    for start in starts:
        assert start.record["start"] == 4
        assert all(torch.equal(start.state[n], t) for n, t in ticket.state.items())
        assert all(torch.equal(start.masks[n], m) for n, m in ticket.masks.items())
    assert any(not torch.equal(ends[0].state[n], t) for n, t in ends[1].state.items())
    # The validation set is the ticket's own in both: what differs is the order alone.
    works = [read_json(copy.figures)["work"] for copy in (one, other)]
    assert works[0] == works[1]


def test_copies_are_trained_once(late: Folder, tmp_path: Path) -> None:
    ticket, where = load(late.ticket), Where(runs_folder=tmp_path / "copies")
    first = stability(ticket, where, points=2, objects=Objects(model=network))
    written = [path.stat().st_mtime_ns for path in sorted(first.folders[0].rglob("*"))]
    again = stability(ticket, where, orders=3, points=2, objects=Objects(model=network))

    assert [path.stat().st_mtime_ns for path in sorted(first.folders[0].rglob("*"))] == written
    assert (len(again.folders), len(again.lines)) == (3, 3)
    assert again.lines[0] == first.lines[0]
    assert again.barrier == pytest.approx(sum(one.barrier for one in again.lines) / 3)


def test_the_dense_network_at_the_rewind_point_is_a_ticket(late: Folder) -> None:
    model = network((1, 4, 4), 4)
    found = dense_at(late, model)
    ticket = load(late.ticket)

    assert (found.kept, found.record["start"]) == (found.prunable, 4)
    for name, mask in ticket.masks.items():
        assert torch.equal(found.state[name][mask], ticket.state[name][mask])
    for name, tensor in ticket.state.items():
        if name not in ticket.masks:
            assert torch.equal(found.state[name], tensor)


def test_one_copy_makes_no_line(late: Folder) -> None:
    with pytest.raises(UsageError, match="2 orders"):
        stability(load(late.ticket), Where(), orders=1)


def test_the_validation_set_may_have_a_seed_of_its_own(points: DataSet) -> None:
    own = Task(points, lambda: nn.Linear(1, 1), CPU)
    fixed = replace(own, split_seed=7)

    assert torch.equal(fixed.splits(0).train.images, own.splits(7).train.images)
    assert not torch.equal(fixed.splits(0).train.images, own.splits(0).train.images)
