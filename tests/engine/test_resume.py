"""A run killed at any moment and started again finds the same ticket, bit for bit, as one left alone."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from ticket.errors import Interrupted, TicketError
from ticket.files import lock
from ticket.finding import find_one
from ticket.request import Request

Make = Callable[..., Request]
MODEL = """
from torch import nn

def make(shape, classes):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(),
        nn.Linear(16, classes),
    )
"""
# A checkpoint every 20 ms instead of 20 s, so that kills fall between and into them.
PROGRAM = """
import sys, torch
from ticket import loop
from ticket.errors import TicketError
from ticket.finding import find_one
loop.CHECKPOINT_SECONDS = 0.02
torch.set_num_threads(1)
try:
    find_one(request)
except TicketError as problem:
    sys.exit(problem.exit_code)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of the network; its path is in the ticket's record, so there is only one."""
    file = tmp_path_factory.mktemp("model") / "net.py"
    file.write_text(MODEL)
    return file


def long_run(make: Make, model: Path, runs: Path) -> Request:
    """Return a run of a second or two: dropout, BatchNorm, momentum, patience, a late rewind."""
    return make(
        runs_folder=runs,
        method="unilth",
        sets=(("model", f"{model}:make"), ("recipe.round.2.train.length", "100it")),
        training={"length": "250it", "eval_every": "20it", "optimizer": {"name": "sgd", "momentum": 0.9},
                  "lr": 0.02},
        recipe={"rounds": 3},
        rewind="30it",
    )  # fmt: skip


def start(request: Request) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")  # imports torch once, not at every start
    context.set_forkserver_preload(["torch", "ticket.finding", "ticket.estimate"])
    process = context.Process(target=exec, args=(PROGRAM, {"request": request}))
    process.start()
    return process


def folder_of(request: Request) -> Path:
    (folder,) = request.runs_folder.iterdir()
    return folder


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.safetensors"))
    }


def without_time(value: Any) -> Any:
    """Drop wall-clock times and the train loss, whose last digits depend on where its sum was cut."""
    if isinstance(value, dict):
        return {k: without_time(v) for k, v in value.items() if k not in ("seconds", "train_loss")}
    return [without_time(v) for v in value] if isinstance(value, list) else value


def measured(folder: Path) -> list[Any]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [without_time(json.loads(line)) for line in lines]


def kill_and_continue(request: Request, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    landed = 0
    while landed < kills:
        process = start(request)
        process.join(chance.uniform(0.02, 0.6))
        if process.exitcode is None:
            process.kill()
            landed += 1
        process.join()
        if process.exitcode == 0:
            break
    process = start(request)
    process.join(120)
    assert process.exitcode == 0
    assert landed >= kills / 2, "the run is over before it can be killed: make it longer"


@pytest.fixture(scope="module")
def left_alone(request_in: Make, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the long run, finished in one go."""
    return find_one(long_run(request_in, model, tmp_path_factory.mktemp("alone"))).folder


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_a_run_killed_at_random_moments_finds_the_same_ticket(
    request_for: Make, model: Path, left_alone: Path, kills: int
) -> None:
    killed = long_run(request_for, model, left_alone.parent.parent / f"killed-{kills}")
    kill_and_continue(killed, kills, seed=kills)
    expected, found = left_alone, folder_of(killed)
    assert found.name == expected.name
    assert bytes_of(found) == bytes_of(expected)
    assert {"ticket.safetensors", "trained.safetensors"} <= bytes_of(found).keys()
    assert measured(found) == measured(expected)  # each measurement once
    figures = [
        without_time(json.loads((f / "figures.json").read_text())) for f in (found, expected)
    ]
    assert figures[0] == figures[1]
    assert not list(found.rglob("*.tmp"))
    assert not (found / "checkpoint.safetensors").exists()


class Crash(BaseException):
    """Stand in for the death of the process."""


def crash_at(monkeypatch: pytest.MonkeyPatch, number: int, *, after: bool) -> None:
    replace_file, seen = os.replace, 0

    def crashing(source: Any, target: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == number and not after:
            raise Crash
        replace_file(source, target)
        if seen == number:
            raise Crash

    monkeypatch.setattr(os, "replace", crashing)


@pytest.mark.parametrize("after", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_crash_at_any_file_that_is_written_changes_nothing(
    request_for: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    def request(folder: str) -> Request:
        fields = {"training": {"length": "6it", "eval_every": "3it"}, "rewind": "2it"}
        return request_for(recipe={"rounds": 1}, runs_folder=tmp_path / folder, **fields)

    find_one(request("alone"))
    expected = folder_of(request("alone"))
    number, crashed = 0, True
    while crashed:
        number, crashed = number + 1, False
        asked = request(f"crashed-{number}")
        with monkeypatch.context() as patch:
            crash_at(patch, number, after=after)
            try:
                find_one(asked)
            except Crash:
                crashed = True
        find_one(asked)
        assert bytes_of(folder_of(asked)) == bytes_of(expected), number
        assert measured(folder_of(asked)) == measured(expected), number
    assert number > 12  # as many files are written, at least


def test_two_clean_runs_agree_in_every_byte_that_is_no_time(
    request_for: Make, tmp_path: Path
) -> None:
    runs = [request_for(method="unilth", runs_folder=tmp_path / name) for name in "ab"]
    for run in runs:
        find_one(run)
    one, other = (folder_of(run) for run in runs)
    assert bytes_of(one) == bytes_of(other)
    assert (one / "config.yaml").read_bytes() == (other / "config.yaml").read_bytes()
    assert measured(one) == measured(other)


def test_another_seed_finds_another_ticket(request_for: Make, tmp_path: Path) -> None:
    runs = [request_for(seed=seed, runs_folder=tmp_path / str(seed)) for seed in (0, 1)]
    tickets = [find_one(run).ticket for run in runs]
    assert not (tickets[0].masks["fc1.weight"] == tickets[1].masks["fc1.weight"]).all()


def test_a_finished_run_is_a_no_op(request_for: Make) -> None:
    request = request_for(controls=("reinit",))
    first = find_one(request)

    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")}

    before = times()
    time.sleep(0.02)
    assert find_one(request) == first
    assert times() == before


def test_a_finished_run_can_be_read_from_a_read_only_folder(
    request_for: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_for()
    first = find_one(request)

    def refuse(*_: object) -> int:
        raise AssertionError("a finished run opens a file for writing")

    monkeypatch.setattr("ticket.files.os.open", refuse)
    assert find_one(request) == first


def test_a_second_process_on_the_same_folder_is_refused(request_for: Make) -> None:
    request = request_for()
    find_one(request)
    folder = folder_of(request)
    (folder / "figures.json").unlink()  # unfinished again
    before = bytes_of(folder)
    with (
        lock(folder),
        pytest.raises(TicketError, match=rf"in use by another process \(pid {os.getpid()}\)"),
    ):
        find_one(request)
    assert bytes_of(folder) == before


def interrupt(request: Request) -> tuple[BaseProcess, float]:
    process = start(request)
    deadline = time.monotonic() + 60
    while not list(request.runs_folder.glob("*/checkpoint.safetensors")):
        assert time.monotonic() < deadline
        assert process.is_alive()
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGINT)
    began = time.monotonic()
    process.join(30)
    return process, time.monotonic() - began


def test_sigint_leaves_within_two_seconds_and_the_run_continues(
    request_for: Make, model: Path, left_alone: Path, tmp_path: Path
) -> None:
    stopped = long_run(request_for, model, tmp_path)
    process, seconds = interrupt(stopped)
    assert process.exitcode == 130
    assert seconds < 2
    assert not (folder_of(stopped) / "figures.json").exists()
    find_one(stopped)
    assert bytes_of(folder_of(stopped)) == bytes_of(left_alone)


def test_a_request_to_stop_says_how_to_go_on(
    request_for: Make, model: Path, tmp_path: Path
) -> None:
    request = long_run(request_for, model, tmp_path)

    def stop_soon(progress: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match=r"the same command continues \(everything is saved in"):
        find_one(request, report=stop_soon)
    assert signal.getsignal(signal.SIGINT) is before
    assert (folder_of(request) / "checkpoint.safetensors").exists()
