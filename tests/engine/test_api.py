"""Everything can be done from Python, with one's own network and data, and means the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import ticket
from ticket.dataset import DataSet
from ticket.errors import UsageError
from ticket.finding import Finding, find_one

SHORT: dict[str, Any] = {"length": "20it", "eval_every": "5it", "batch_size": 16, "lr": 0.1}


def make() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))


@pytest.fixture
def found(tmp_path: Path, points: DataSet) -> Finding:
    return ticket.find(make, points, rounds=2, training=SHORT, runs_folder=tmp_path / "runs")


def test_a_function_and_a_data_set_find_a_ticket(found: Finding) -> None:
    assert [record["kept"] for record in found.rounds] == [160, 128, 102]
    assert ticket.load(found.folder / "ticket.safetensors").kept == 102
    assert found.ticket.density == 102 / 160


def test_a_networks_own_weights_are_where_its_ticket_starts(
    tmp_path: Path, points: DataSet, mlp: nn.Module
) -> None:
    before = {name: value.clone() for name, value in mlp.state_dict().items()}
    found = ticket.find(mlp, points, rounds=1, training=SHORT, runs_folder=tmp_path)
    for name, mask in found.ticket.masks.items():
        assert torch.equal(found.ticket.state[name][mask], before[name][mask])
    assert all(torch.equal(value, before[name]) for name, value in mlp.state_dict().items())


def test_names_work_as_on_the_command_line(tmp_path: Path) -> None:
    sets = {"model": {"name": "mlp", "hidden": [8]}, "recipe.rates": "same"}
    found = ticket.find(
        "mlp", "synthetic", sparsity=0.3, seed=3, training=SHORT, sets=sets, runs_folder=tmp_path
    )
    assert found.seed == 3
    assert found.ticket.density == pytest.approx(0.7, abs=1e-3)
    assert found.folder.name.startswith("mlp-synthetic-lth-")


@pytest.mark.parametrize("part", ["test", "validation", "train"])
def test_an_evaluation_is_exactly_what_the_run_reported(
    found: Finding, points: DataSet, part: str
) -> None:
    score = ticket.evaluate(found.folder / "trained.safetensors", make, points, part=part)
    end = found.final["end"]
    assert (score.accuracy, score.loss) == (end[f"{part}_accuracy"], end[f"{part}_loss"])


def test_the_evaluation_of_a_named_run_needs_no_objects(request_for: Any) -> None:
    found = find_one(request_for())
    score = ticket.evaluate(found.folder / "trained.safetensors")
    assert score.accuracy == found.final["end"]["test_accuracy"]
    assert ticket.evaluate(found.ticket) != score


def test_an_unknown_part_is_refused(found: Finding, points: DataSet) -> None:
    with pytest.raises(UsageError, match="part wants test, validation, train, got 'tset'"):
        ticket.evaluate(found.ticket, make, points, part="tset")


def test_a_ticket_is_trained_from_its_own_weights_and_masks(
    found: Finding, points: DataSet, tmp_path: Path
) -> None:
    again = ticket.train(
        found.folder / "ticket.safetensors", make, points, runs_folder=tmp_path / "t"
    )
    assert again.folder.name.startswith("make-points-train-")
    assert again.ticket.kept == 102
    trained = ticket.load(again.folder / "trained.safetensors")
    for name, mask in found.ticket.masks.items():
        assert torch.equal(trained.masks[name], mask)
        assert torch.equal(again.ticket.state[name], found.ticket.state[name])
    score = ticket.evaluate(again.folder / "trained.safetensors", make, points)
    assert score.accuracy == again.final["end"]["test_accuracy"]


def test_a_ticket_trains_with_other_seeds_numbers_and_controls(
    found: Finding, points: DataSet, tmp_path: Path
) -> None:
    fields = {"runs_folder": tmp_path / "t", "controls": ("reinit", "dense")}
    one = ticket.train(found.ticket, make, points, seed=0, training={"length": "10it"}, **fields)  # type: ignore[arg-type]
    two = ticket.train(found.ticket, make, points, seed=1, training={"length": "10it"}, **fields)  # type: ignore[arg-type]
    assert one.folder != two.folder
    assert one.final["iterations"] == 10
    assert one.final != two.final
    assert [c["control"] for c in one.controls] == ["reinit", "dense"]
    assert one.dense == one.controls[1]["trainings"][-1]
    assert one.controls[1]["density"] == 1


def test_the_network_that_is_given_does_not_name_the_training(
    found: Finding, points: DataSet, tmp_path: Path
) -> None:
    """The weights come from the ticket: a network made anew continues the same run."""
    folders = {
        ticket.train(found.ticket, make(), points, runs_folder=tmp_path / "t").folder
        for _ in range(2)
    }
    assert len(folders) == 1


def test_masks_hold_in_a_loop_of_ones_own(found: Finding, points: DataSet) -> None:
    network = make()
    found.ticket.apply(network)
    optimizer = torch.optim.Adam(network.parameters(), 0.01, weight_decay=0.1)
    images, labels = points.train_images.float() / 255, points.train_labels

    def weights() -> dict[str, Tensor]:
        return {name: network.get_parameter(name).detach() for name in found.ticket.masks}

    with ticket.held(found.ticket, network, optimizer):
        for _ in range(5):
            optimizer.zero_grad()
            functional.cross_entropy(network(images), labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            for name, weight in weights().items():
                assert not weight[~found.ticket.masks[name]].any()
    optimizer.step()
    assert any(weight[~found.ticket.masks[name]].any() for name, weight in weights().items())


def test_the_same_call_reads_what_it_found(found: Finding, tmp_path: Path, points: DataSet) -> None:
    again = ticket.find(make, points, rounds=2, training=SHORT, runs_folder=tmp_path / "runs")
    assert again == found
    other = ticket.find(
        make, replace(points, mean=(0.4,)), rounds=2, training=SHORT, runs_folder=tmp_path / "runs"
    )
    assert other.folder != found.folder


def test_an_error_of_ours_is_a_ticket_error(points: DataSet, tmp_path: Path) -> None:
    with pytest.raises(ticket.TicketError, match=r"sparsity wants a number in \(0, 1\), got 1\.5"):
        ticket.find(make, points, sparsity=1.5, runs_folder=tmp_path)
    with pytest.raises(ticket.TicketError, match="did you mean 'unilth'"):
        ticket.find(make, points, "unlith", runs_folder=tmp_path)
    assert not list(tmp_path.iterdir())
