"""A strategy may train: its training is a run like any other, continued after a kill, and not repeated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ticket import api, loop
from ticket.dataset import DataSet
from ticket.errors import UsageError
from ticket.folder import Folder, read_json
from ticket.tickets import Ticket, load
from ticket.transforming.lineage import same_bits
from ticket.watch import Progress

Make = Callable[..., Any]
TRAINS = 'return given.train(ticket, {"length": "8it", "eval_every": "2it", "lr": 0.05})'


@pytest.fixture
def source(ticket_for: Make, tmp_path: Path) -> Path:
    """Return the file of a small network's ticket."""
    path = tmp_path / "source.safetensors"
    ticket_for({"name": "mlp", "hidden": [8, 8]}, start=0).save(path)
    return path


def trained_runs(runs: Path) -> list[Path]:
    return sorted(path for path in runs.iterdir() if "-train-" in path.name)


def test_a_strategy_trains_the_target_and_leaves_the_record_as_it_is(
    source: Path, strategy: Make, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    to = {"name": "mlp", "hidden": [8, 8, 8]}
    done = api.transform(source, to, strategy=["elastic", strategy(TRAINS)], runs_folder=runs)
    (run,) = trained_runs(runs)
    trained = load(Folder(run).trained)
    assert trained.record["model"] == {"name": "mlp", "options": {"hidden": [8, 8, 8]}}
    assert all(same_bits(done.ticket.state[n], t) for n, t in trained.state.items())
    moved = api.transform(source, to, runs_folder=runs, write=False).ticket
    assert all(torch.equal(done.ticket.masks[n], mask) for n, mask in moved.masks.items())
    assert any(not same_bits(done.ticket.state[n], t) for n, t in moved.state.items())
    assert "trained" not in done.ticket.record  # its weights are start weights now
    assert done.ticket.record["training"] == moved.record["training"]
    assert done.ticket.record["moves"]["masks"] == moved.record["moves"]["masks"]
    assert done.ticket.record["moves"]["states"] == {}
    assert done.iterations == 8
    assert read_json(done.path.parent / "figures.json")["transform"]["iterations"] == 8  # type: ignore[union-attr]
    api.transform(done.path or "", to, runs_folder=runs, write=False)  # and can be moved on


def test_the_training_is_not_repeated(source: Path, strategy: Make, tmp_path: Path) -> None:
    runs, seen = tmp_path / "runs", list[Progress]()
    mine = strategy(TRAINS)
    first = api.transform(source, strategy=mine, runs_folder=runs, report=seen.append)
    assert [p.step for p in seen if p.kind == "evaluated"] == [2, 4, 6, 8]
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*") if path.is_file()}
    seen.clear()
    again = api.transform(source, strategy=mine, runs_folder=runs, report=seen.append)
    assert seen == []
    assert {p: p.stat().st_mtime_ns for p in runs.rglob("*") if p.is_file()} == before
    assert again.ticket.identity() == first.ticket.identity()
    assert (again.path, again.iterations) == (first.path, first.iterations)


def test_a_killed_training_goes_on_where_it_was(
    source: Path, strategy: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    mine, runs, seen = strategy(TRAINS), tmp_path / "runs", list[int]()

    def kill(progress: Progress) -> None:
        if progress.kind == "evaluated" and progress.step == 6:
            raise MemoryError

    with pytest.raises(MemoryError):
        api.transform(source, strategy=mine, runs_folder=runs, report=kill)
    (run,) = runs.iterdir()  # the ticket itself is not there yet
    assert Folder(run).checkpoint.exists()

    def watch(progress: Progress) -> None:
        if progress.kind == "evaluated":
            seen.append(progress.step)

    done = api.transform(source, strategy=mine, runs_folder=runs, report=watch)
    assert seen == [6, 8]
    alone = api.transform(source, strategy=mine, runs_folder=tmp_path / "others")
    assert done.ticket.identity() == alone.ticket.identity()


def test_a_plan_of_a_training_is_refused_and_writes_nothing(
    source: Path, strategy: Make, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="trains writes a run, so it cannot just be planned"):
        api.transform(source, strategy=strategy(TRAINS), runs_folder=tmp_path / "r", write=False)
    assert not (tmp_path / "r").exists()


def test_networks_and_data_of_a_python_caller_are_trained(
    tower: Make, ticket_of: Make, ticket_for: Make, points: DataSet, strategy: Make, tmp_path: Path
) -> None:
    def shallow(shape: object, classes: int) -> Any:
        return tower(2, 2, classes=classes)

    def deep(shape: object, classes: int) -> Any:
        return tower(3, 2, classes=classes)

    known = ticket_for({"name": "mlp", "hidden": [8]}, start=0).record
    fields = {name: known[name] for name in ("training", "recipe", "seeds")}
    fields |= {"model": {"name": "here:shallow", "options": {}}, "dataset": "points"}
    fed = {"shape": [1, 4, 4], "classes": 4}
    ticket = ticket_of(shallow((), 4), input=fed, **fields)
    for norm in (n for n in ticket.state if n.endswith("running_var")):
        ticket.state[norm].abs_()
    mine = strategy(TRAINS)
    for to, chain in ((None, [mine]), (deep, ["elastic", mine])):
        done = api.transform(
            ticket, to, strategy=chain, model=shallow, dataset=points, runs_folder=tmp_path / "runs"
        )
        assert done.iterations == 8
        done.ticket.apply((to or shallow)((), 4))
    assert isinstance(done.ticket, Ticket)
    assert len(trained_runs(tmp_path / "runs")) == 2
