"""Training a ticket that is there: its masks, its start weights, the schedule of its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ticket.controls import run_control
from ticket.errors import UsageError
from ticket.finding import Finding, check_request, refuse_distributed, refuse_untaught
from ticket.folder import Folder
from ticket.loop import execute
from ticket.losses import wants_teacher
from ticket.request import Objects, Request, prepare
from ticket.run import Run
from ticket.tickets import Ticket
from ticket.trying import try_controls
from ticket.uses import asked_use
from ticket.watch import Report, interruptible, silent


@dataclass(frozen=True)
class Where:
    """Say where a training reads and writes, on what it runs, and who looks on."""

    data_folder: Path = Path("data")
    runs_folder: Path = Path("runs")
    device: str = "auto"
    threads: int = 1
    report: Report = field(default=silent)


def train_ticket(
    ticket: Ticket,
    sha256: str,
    where: Where,
    *,
    objects: Objects | None = None,
    seed: int | None = None,
    controls: tuple[str, ...] = (),
    training: Mapping[str, Any] | None = None,
    teacher: Path | None = None,
    own_teacher: Path | None = None,
) -> Finding:
    """Train the ticket whose file has this SHA-256, and the controls beside it, in a run's folder.

    Model, data set and seed are those of its record unless they are given; so is the training, of which
    given fields change the phases of `final`, too. With a `teacher` it learns from soft labels;
    `own_teacher` is the one that the ticket was found with, if any. Raises TicketError.
    """
    refuse_distributed()
    document = document_of(ticket)
    training = dict(training or {})
    document["recipe"]["final"] = [_changed(p, training) for p in document["recipe"]["final"]]
    learns = _learns(document, training)
    if teacher is None and learns:
        teacher = own_teacher
    elif teacher is not None and not learns:
        training.setdefault("loss", "distillation")
    request = Request(
        document=document,
        data_folder=where.data_folder,
        runs_folder=where.runs_folder,
        training=training,
        seed=ticket.seed if seed is None else seed,
        controls=controls,
        device=where.device,
        threads=where.threads,
        start=sha256,
        teacher=teacher,
    )
    check_request(request)
    prepared = prepare(request, objects)
    refuse_untaught(prepared)
    folder = Folder(request.runs_folder / prepared.config.run_name())
    missing = [name for name in controls if not Folder(folder.control(name, 0)).finished]
    try_controls(prepared.config, prepared.task, missing, ticket)
    with interruptible() as stop:
        run = Run(
            prepared.config,
            prepared.task,
            folder,
            where.report,
            stop,
            where.threads,
            "last",
            start=ticket,
            teacher=prepared.teacher,
        )
        rounds = execute(run)["rounds"]
        trained = [run_control(run, name, 0) for name in controls]
    dense = next((c["trainings"][-1] for c in trained if c["control"] == "dense"), None)
    return Finding(folder.path, prepared.config.seed, rounds, trained, dense)


def _learns(document: Mapping[str, Any], training: Mapping[str, Any]) -> bool:
    """Tell whether a training of the document learns from a teacher already."""
    losses = [training.get("loss") or document["training"].get("loss") or "cross_entropy"]
    losses += [p["train"]["loss"] for p in document["recipe"]["final"] if _has_loss(p)]
    return any(wants_teacher(asked_use("losses", loss)) for loss in losses)


def _has_loss(phase: object) -> bool:
    return isinstance(phase, Mapping) and "loss" in phase["train"]


def _changed(phase: object, given: Mapping[str, Any]) -> object:
    """Return a train phase without the fields that are given: what is asked for goes before it."""
    if not isinstance(phase, Mapping):
        return phase
    kept = {name: value for name, value in phase["train"].items() if name not in given}
    return {"train": kept} if kept else "train"


def document_of(ticket: Ticket) -> dict[str, Any]:
    """Return the run that a ticket records, as a document. Raises UsageError when it records none."""
    record = ticket.record
    missing = [name for name in ("model", "dataset", "training", "recipe") if name not in record]
    if missing:
        raise UsageError(
            f"the ticket does not record its {', '.join(missing)}; give them in Python"
        )
    model = record["model"]
    return {
        "model": {"name": model["name"], **model["options"]},
        "dataset": record["dataset"],
        "training": dict(record["training"]),
        "recipe": dict(record["recipe"]),
    }
