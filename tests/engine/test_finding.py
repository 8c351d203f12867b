"""A finding holds what a run has shown; requests that make no sense are refused before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ticket.errors import TicketError, UsageError
from ticket.finding import (
    Finding,
    find_one,
    findings_of,
    fresh,
    plan,
    seeds_of,
    set_aside,
    verdict,
)
from ticket.request import Request

Make = Callable[..., Request]


def test_a_finding_is_read_back_from_its_folder(request_for: Make) -> None:
    found = find_one(request_for(controls=("reinit", "dense")))
    read = findings_of(found.folder)
    assert (read.seed, read.rounds) == (found.seed, found.rounds)
    assert sorted(read.controls, key=str) == sorted(found.controls, key=str)
    assert read.dense == found.dense


def test_the_early_stop_iteration_is_that_of_the_lowest_validation_loss(request_for: Make) -> None:
    import json

    found = find_one(request_for(training={"lr": 3.0, "length": "60it"}))
    lines = (found.folder / "metrics.jsonl").read_text().splitlines()
    measured = [json.loads(line) for line in lines]
    for record in found.rounds:
        mine = [m for m in measured if m["round"] == record["round"]]
        lowest = min(mine, key=lambda m: m["validation_loss"])
        stop = record["trainings"][0]["early_stop"]
        assert stop["iteration"] == lowest["iteration"]
        assert stop["validation_loss"] == lowest["validation_loss"]
        assert stop["validation_accuracy"] == lowest["validation_accuracy"]
        end = record["trainings"][0]["end"]
        assert (end["iteration"], end["validation_loss"]) == (60, mine[-1]["validation_loss"])


def test_a_run_that_is_not_finished_has_no_finding(tmp_path: Path) -> None:
    with pytest.raises(
        TicketError, match="is not finished; the command that began it continues it"
    ):
        findings_of(tmp_path)


def test_a_fresh_run_sets_the_old_one_aside_and_deletes_nothing(request_for: Make) -> None:
    request = request_for()
    assert fresh(request) is None
    first = find_one(request)
    ticket = (first.folder / "ticket.safetensors").read_bytes()
    assert fresh(request) == first.folder.with_name(first.folder.name + ".old-1")
    assert not first.folder.exists()
    assert find_one(request).folder == first.folder
    aside = fresh(request)
    assert aside == first.folder.with_name(first.folder.name + ".old-2")
    assert (aside / "ticket.safetensors").read_bytes() == ticket
    assert set_aside(first.folder) is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"keep": "some"}, "--keep wants tickets, all, last, got 'some'"),
        ({"controls": ("reinti",)}, r"no transform named 'reinti'; did you mean 'reinit'\?"),
        ({"threads": 0}, "--threads wants 1 or more, got 0"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    request_for: Make, tmp_path: Path, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        find_one(request_for(**fields))
    with pytest.raises(UsageError, match=said):
        plan(request_for(**fields))
    assert not (tmp_path / "runs").exists()


def test_torchrun_is_refused(request_for: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(
        UsageError, match="WORLD_SIZE is 4: distributed training is not supported yet"
    ):
        find_one(request_for())
    monkeypatch.setenv("WORLD_SIZE", "1")
    find_one(request_for())


def test_replicates_are_the_seeds_that_follow() -> None:
    assert [r.seed for r in seeds_of(Request(seed=4), 3)] == [4, 5, 6]


def ended(folder: Path, ticket: float, dense: float | None, reinit: float | None) -> Finding:
    def training(accuracy: float) -> dict[str, Any]:
        return {"end": {"test_accuracy": accuracy}}

    rounds = [{"round": 0, "trainings": []}, {"round": 1, "trainings": [training(ticket)]}]
    controls = [] if reinit is None else [
        {"control": "reinit", "at_round": 1, "trainings": [training(reinit)]}
    ]  # fmt: skip
    return Finding(folder, 0, rounds, controls, None if dense is None else training(dense))


@pytest.mark.parametrize(
    ("seeds", "word"),
    [
        ([(0.9, 0.9, 0.8)] * 2, "undecided"),
        ([(0.9, 0.9, None)] * 3, "matching"),
        ([(0.9, 0.9, 0.8)] * 3, "winning"),
        ([(0.8, 0.9, 0.7)] * 3, "not matching"),
        ([(0.9, None, None)] * 3, "undecided"),
    ],
)
def test_the_verdict_is_by_the_end_of_training(tmp_path: Path, seeds: list[Any], word: str) -> None:
    assert verdict([ended(tmp_path, *figures) for figures in seeds]).word == word


def test_a_method_that_prunes_nothing_finds_no_ticket(request_for: Make) -> None:
    assert verdict([find_one(request_for(method="dense"))]).word == "no ticket"


@pytest.mark.parametrize("method", ["lth", "random"])
def test_a_runs_folder_that_cannot_be_made_is_named(
    request_for: Make, tmp_path: Path, method: str
) -> None:
    (tmp_path / "file").write_text("precious")
    recipe = {"rounds": 1, "sparsity": 0.3} if method == "random" else {}
    request = request_for(method=method, recipe=recipe, runs_folder=tmp_path / "file" / "runs")
    with pytest.raises(TicketError, match=r"cannot make the folder .*: Not a directory"):
        find_one(request)
    assert (tmp_path / "file").read_text() == "precious"


def test_a_full_disk_leaves_what_is_there_and_the_run_continues(
    request_for: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    request, alone = request_for(), None
    write, written = os.write, 0

    def full(handle: int, data: Any) -> int:
        nonlocal written
        written += 1
        if written > 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(
            TicketError, match=r"cannot (write|append to) .*: no space left on device"
        ):
            find_one(request)
    (folder,) = request.runs_folder.iterdir()
    assert not list(folder.rglob("*.tmp"))
    before = {p: p.read_bytes() for p in folder.glob("round-*/ticket.safetensors")}
    assert before
    continued = find_one(request)
    alone = find_one(replace(request, runs_folder=request.runs_folder / "alone"))
    assert continued.ticket.identity() == alone.ticket.identity()
