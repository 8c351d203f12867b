"""The race of exported files against dense engines, for every batch and number of threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ticket.bases import settle
from ticket.benching.dense import ENGINES
from ticket.benching.exported import Subject, subject
from ticket.benching.race import Call, Timing, race
from ticket.end import end_of
from ticket.errors import TicketError, UsageError
from ticket.files import digest
from ticket.tickets import load
from ticket.values import closest


@dataclass(frozen=True)
class Row:
    """Hold one result: who ran which batch on how many threads, and how long a call took.

    `difference` is the largest of an output from PyTorch's, as a share of the largest output; None for
    files of another ticket, or without one.
    """

    name: str
    kind: str  # a file's format, or `dense`
    batch: int
    threads: int
    timing: Timing
    difference: float | None

    @property
    def images_per_second(self) -> float:
        """Return the throughput at the median."""
        return self.batch / self.timing.median


@dataclass(frozen=True)
class Bench:
    """Hold all rows, and who did not run and why, as (name, reason), each once."""

    rows: tuple[Row, ...]
    missing: tuple[tuple[str, str], ...]


def bench(
    paths: Sequence[Path],
    *,
    against: Sequence[str] = (),
    ticket: Path | None = None,
    batches: Sequence[int] = (1,),
    threads: Sequence[int] = (1,),
    seconds: float = 1.0,
    data_folder: Path = Path("data"),
) -> Bench:
    """Time exported files and, with the trained ticket they come from, dense engines side by side.

    An engine that is not installed or fails is named, and the others race on. Raises UsageError for
    an unknown engine, engines without a ticket or files that take other images than one another;
    TicketError for a file that is none of ours.
    """
    _check_engines(against, ticket)
    subjects = [subject(path) for path in paths]
    for other in subjects[1:]:
        if other.shape != subjects[0].shape:
            raise UsageError(
                f"{other.path} takes images {other.shape}, {paths[0]} {subjects[0].shape}; "
                "race files that take the same"
            )
    network = None if ticket is None else _network(ticket, subjects[0], data_folder)
    sha256 = "" if ticket is None else digest(ticket)
    rows: list[Row] = []
    missing: dict[tuple[str, str], None] = {}
    for count in threads:
        for batch in batches:
            generator = torch.Generator().manual_seed(0)
            images = torch.randn(batch, *subjects[0].shape, generator=generator)
            with _threads(count), torch.inference_mode():
                cell = _Cell(images, count, network, sha256)
                rows += cell.race(subjects, against, seconds)
            missing |= dict.fromkeys(cell.missing)
    return Bench(tuple(rows), tuple(missing))


class _Cell:
    """One batch and number of threads; a class because all of it fills the list of those missing."""

    def __init__(
        self, images: Tensor, threads: int, network: nn.Module | None, sha256: str
    ) -> None:
        self.images = images
        self.threads = threads
        self.network = network
        self.sha256 = sha256
        self.missing: list[tuple[str, str]] = []

    def race(
        self, subjects: Sequence[Subject], against: Sequence[str], seconds: float
    ) -> list[Row]:
        calls: dict[str, Call] = {}
        kinds: dict[str, str] = {}
        differences: dict[str, float | None] = {}
        wanted = None if self.network is None else self.network(self.images)
        for one in subjects:
            name = str(one.path)
            if one.batch not in (0, len(self.images)):
                reason = f"its export fixed the batch at {one.batch}"
                self.missing.append((f"{name}, batch {len(self.images)}", reason))
                continue
            calls[name] = one.call(self.images, self.threads)
            kinds[name] = one.format
            same = wanted is not None and one.metadata.get("ticket") == self.sha256
            differences[name] = _difference(calls[name](), wanted) if same else None
        for name in against:
            assert self.network is not None  # _check_engines
            try:
                call = ENGINES[name](self.network, self.images, self.threads)
                difference = _difference(call(), wanted)
            except Exception as problem:  # a foreign engine may raise anything
                self.missing.append((name, _reason(problem)))
                continue
            calls[name], kinds[name], differences[name] = call, "dense", difference
        timings = race(calls, seconds) if calls else {}
        return [
            Row(name, kinds[name], len(self.images), self.threads, timing, differences[name])
            for name, timing in timings.items()
        ]


def _check_engines(against: Sequence[str], ticket: Path | None) -> None:
    for name in against:
        if name not in ENGINES:
            hint = closest(name, ENGINES) or f"; there are: {', '.join(ENGINES)}"
            raise UsageError(f"no engine named '{name}'{hint}")
    if against and ticket is None:
        raise UsageError(
            f"{', '.join(against)}: dense engines run the ticket itself; name it with --ticket"
        )


def _network(path: Path, first: Subject, data_folder: Path) -> nn.Module:
    """Return the trained network of a ticket, in evaluation mode."""
    ticket = load(path)
    end = end_of(ticket, None, data_folder)
    if end.shape != first.shape:
        raise UsageError(
            f"{first.path} takes images {first.shape}, the network of {path} {end.shape}; "
            "name the ticket that the file was exported from"
        )
    network = end.build().eval()
    ticket.apply(network)
    return settle(network)


def _difference(found: object, wanted: Tensor | None) -> float | None:
    if wanted is None:
        return None
    ours = found if isinstance(found, Tensor) else torch.from_numpy(np.asarray(found))
    largest = wanted.abs().max().clamp(min=torch.finfo(torch.float32).tiny)
    return float((ours - wanted).abs().max() / largest)


def _reason(problem: Exception) -> str:
    if isinstance(problem, TicketError):
        return str(problem)
    lines = str(problem).strip().splitlines() or [""]
    return f"{type(problem).__name__}: {lines[0]}"


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
