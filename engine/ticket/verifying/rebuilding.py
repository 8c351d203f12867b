"""A run made ready again, so that its steps can be carried out once more; nothing is written into it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ticket.errors import TicketError
from ticket.folder import machine, read_json
from ticket.loop import setting_of
from ticket.request import Objects, Request, prepare
from ticket.run import Run
from ticket.setting import Setting
from ticket.tickets import load
from ticket.verifying.evidence import Evidence
from ticket.watch import Report, Stop


@dataclass(frozen=True)
class Rebuilt:
    """Hold a run made ready again.

    `elsewhere` says in what this machine differs from the run's, and so why bits may; empty: in nothing.
    """

    run: Run
    setting: Setting
    elsewhere: str

    @property
    def threads(self) -> int:
        """Return the number of threads that the run had."""
        return self.run.threads


def rebuild(
    evidence: Evidence,
    data_folder: Path,
    device: str,
    objects: Objects | None,
    report: Report,
    stop: Stop,
) -> Rebuilt:
    """Build the run's task and what all its phases share.

    Raises TicketError when that cannot be had: no data, another network than the run's.
    """
    folder, config = evidence.folder, evidence.config
    if evidence.toward:
        raise TicketError(
            "its rounds lead to the masks of another ticket, which the run does not hold"
        )
    document: dict[str, Any] = {**config.plain(), "weights": None, "start": None}
    document["recipe"] = config.recipe.plain()
    began = read_json(folder.path / "machine.json")
    request = Request(
        document=document,
        data_folder=data_folder,
        seed=config.seed,
        device=_device(str(began["device"]), device),
        threads=int(began["threads"]),
        start=config.start,
    )
    prepared = prepare(request, objects)
    _check_same(evidence, prepared.config.sources)
    start = load(folder.round_ticket(0)) if config.start is not None else None
    weights = dict(load(folder.round_ticket(0)).state) if config.weights is not None else None
    run = Run(
        config,
        prepared.task,
        folder,
        report,
        stop,
        request.threads,
        weights=weights,
        start=start,
    )
    here = machine(request.threads, prepared.task.device)
    odd = [k for k in ("cpu", "device", "torch") if here[k] != began.get(k)]
    elsewhere = ", ".join(f"{k} {here[k]} for {began.get(k)}" for k in odd)
    return Rebuilt(run, setting_of(run), elsewhere)


def _device(began: str, asked: str) -> str:
    """Return the kind of device that the run had, unless one is asked for."""
    return ("cpu" if began == "cpu" else "auto") if asked == "auto" else asked


def _check_same(evidence: Evidence, sources: Any) -> None:
    changed = [k for k, v in evidence.config.sources.items() if sources.get(k) != v]
    if changed:
        raise TicketError(f"{', '.join(changed)} is not what the run was made with")
