"""A verification from beginning to end: of a run's folder, of a transform's, or of a ticket's file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ticket.comparing.reading import config_of
from ticket.comparing.shelf import Shelf
from ticket.dataset import DataSet
from ticket.errors import TicketError, UsageError
from ticket.folder import Folder, read_json
from ticket.locate import locate
from ticket.request import Objects
from ticket.verifying.controls import controls
from ticket.verifying.counts import recorded_counts
from ticket.verifying.evidence import gather
from ticket.verifying.files import files
from ticket.verifying.parent import parent
from ticket.verifying.rebuilding import Rebuilt, rebuild
from ticket.verifying.records import records
from ticket.verifying.remaking import remade
from ticket.verifying.results import CLAIMS, Result, failed, held, skipped, tried
from ticket.verifying.rounds import rounds
from ticket.verifying.stored import read_stored
from ticket.verifying.zeros import zeros, zeros_in
from ticket.watch import Progress, Report, interruptible, silent

REMADE = ("initial", "schedule", "masks", "accuracy", "streams", "replay")  # need the task


@dataclass(frozen=True)
class Verification:
    """Hold what every check has said of the run or ticket at `path`."""

    path: Path
    results: tuple[Result, ...]

    @property
    def failures(self) -> list[Result]:
        """List the claims that do not hold."""
        return [result for result in self.results if result.state == "failed"]

    @property
    def held(self) -> bool:
        """Tell whether no claim failed; some may not have been checked."""
        return not self.failures


def verify(
    place: str | Path,
    model: nn.Module | Callable[..., nn.Module] | None = None,
    data: DataSet | None = None,
    *,
    replay: Sequence[int] = (),
    parent: str | Path | None = None,
    data_folder: str | Path = "data",
    runs_folder: str | Path = "runs",
    device: str = "auto",
    report: Report = silent,
) -> Verification:
    """Check all that a run or a ticket claims; a claim that cannot be checked says why.

    `place` is a run's folder, a ticket's file, or a model's name. `replay` names rounds to train again.
    `model` and `data` stand in where the run was given Python objects. Raises UsageError for what is
    no run and no ticket; a claim that does not hold is a result, not an error.
    """
    asked = Asked(
        tuple(replay),
        None if parent is None else locate(str(parent), Path(runs_folder)),
        Path(data_folder),
        Path(runs_folder),
        device,
        None if model is None and data is None else Objects(model, data),
        report,
    )
    path = Path(place)
    if not (path.is_dir() and Folder(path).config.is_file()):
        path = locate(str(place), Path(runs_folder))
    beside = Folder(path.parent)
    if path in (beside.ticket, beside.trained) and beside.config.is_file():
        path = path.parent
    if path.resolve().parent.name == "stability":
        raise UsageError(
            f"{path} is a copy that `ticket stability` trained, on the training set of its ticket's seed; "
            "verify the ticket's run"
        )
    before = torch.get_num_threads()
    try:
        found = _run(path, asked) if path.is_dir() else _file(path, asked)
        return Verification(path, tuple(_ordered(found, asked.report)))
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Asked:
    """Hold what a verification was asked for."""

    replay: tuple[int, ...]
    parent: Path | None
    data_folder: Path
    runs_folder: Path
    device: str
    objects: Objects | None
    report: Report


def _ordered(results: Iterable[Result], report: Report) -> list[Result]:
    """Sort by claim, in the order in which they are told."""
    names, found = list(CLAIMS), list[Result]()
    for result in results:
        report(Progress("checked", 0, 0, 0, result.check, text=result.subject))
        found.append(result)
    return sorted(found, key=lambda result: names.index(result.check))


def _file(path: Path, asked: Asked) -> Iterator[Result]:
    """Check a ticket's file that is no run's own."""
    if asked.replay:
        raise UsageError(f"--replay wants a run; {path} is a ticket's file")
    try:
        stored = read_stored(path)
    except TicketError as problem:
        yield failed("files", "", str(problem))
        return
    yield held("files", "")
    yield recorded_counts(stored, None, path.name)
    yield zeros(stored, path.name)
    yield from parent(stored, Shelf(asked.runs_folder), asked.parent)
    run = "its run's folder is not beside it; give the run to check its rounds"
    yield skipped("records", path.name, run)


def _run(path: Path, asked: Asked) -> Iterator[Result]:
    """Check a run's folder, or that of a transform."""
    folder = Folder(path)
    whole = list(files(path))
    yield from whole
    if whole[0].state == "failed":
        text = "a file is damaged, and what follows from it cannot be told"
        yield from (skipped(name, "", text) for name in CLAIMS if name != "files")
        return
    shelf = Shelf(asked.runs_folder)
    if "transform" in config_of(path):
        if asked.replay:
            raise UsageError(f"--replay wants a run that trained; {path} is a transform's")
        yield from tried("records", "", _transform(folder, shelf, asked))
        return
    try:
        evidence = gather(path)
    except TicketError as problem:
        text = str(problem).replace("\n", " ")
        yield from (skipped(name, "", text) for name in CLAIMS if name != "files")
        return
    if wrong := [n for n in asked.replay if n not in evidence.rounds]:
        there = ", ".join(map(str, evidence.rounds))
        raise UsageError(f"--replay {wrong[0]}: {path} kept the rounds {there}")
    yield from tried("records", "", records(evidence))
    tickets = tuple(folder.round_ticket(number) for number in evidence.rounds)
    yield from tried("zeros", "", zeros_in(path, folder.checkpoint, tickets))
    yield from tried("records", "controls", controls(evidence))
    if evidence.config.start is not None:
        yield from parent(evidence.round(0), shelf, asked.parent)
    with interruptible() as stop:
        try:
            rebuilt: Rebuilt | str = rebuild(
                evidence, asked.data_folder, asked.device, asked.objects, asked.report, stop
            )
        except TicketError as problem:
            rebuilt = str(problem).replace("\n", " ")
        if isinstance(rebuilt, str):
            yield from tried("records", "rounds", rounds(evidence, None))
            yield from (skipped(name, "", rebuilt) for name in REMADE)
        else:
            torch.set_num_threads(rebuilt.run.threads)
            yield from tried("records", "rounds", rounds(evidence, rebuilt))
            yield from remade(evidence, rebuilt, asked.replay)


def _transform(folder: Folder, shelf: Shelf, asked: Asked) -> Iterator[Result]:
    stored = read_stored(folder.ticket)
    figures = read_json(folder.figures)["rounds"][0]
    yield recorded_counts(stored, figures, folder.ticket.name)
    yield zeros(stored, folder.ticket.name)
    yield from parent(stored, shelf, asked.parent)
