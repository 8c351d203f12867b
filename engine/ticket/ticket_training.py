"""Training a ticket that is there: its masks, its start weights, the schedule of its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ticket.controls import run_control
from ticket.errors import UsageError
from ticket.finding import Finding, check_request, refuse_distributed
from ticket.folder import Folder
from ticket.loop import execute
from ticket.request import Objects, Request, prepare
from ticket.run import Run
from ticket.tickets import Ticket
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
) -> Finding:
    """Train the ticket whose file has this SHA-256, and the controls beside it, in a run's folder.

    Model, data set and seed are those of its record unless they are given. Raises TicketError.
    """
    refuse_distributed()
    request = Request(
        document=document_of(ticket),
        data_folder=where.data_folder,
        runs_folder=where.runs_folder,
        training=training or {},
        seed=ticket.seed if seed is None else seed,
        controls=controls,
        device=where.device,
        threads=where.threads,
        start=sha256,
    )
    check_request(request)
    prepared = prepare(request, objects)
    folder = Folder(request.runs_folder / prepared.config.run_name())
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
        )
        rounds = execute(run)["rounds"]
        trained = [run_control(run, name, 0) for name in controls]
    dense = next((c["trainings"][-1] for c in trained if c["control"] == "dense"), None)
    return Finding(folder.path, prepared.config.seed, rounds, trained, dense)


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
