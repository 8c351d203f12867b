"""Find tickets: prepare, run, train the controls, for one seed or several side by side, and judge."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ticket.config import refuse
from ticket.controls import has_dense_baseline, run_control
from ticket.errors import TicketError, UsageError
from ticket.folder import Folder, read_json
from ticket.ladder import ladder
from ticket.loop import execute, setting_of
from ticket.registry import named
from ticket.request import Objects, Prepared, Request, prepare
from ticket.run import KEEP, Run
from ticket.starving import starved
from ticket.task import layers
from ticket.teachers import check_teacher
from ticket.tickets import Ticket, load
from ticket.trying import try_controls, try_criteria
from ticket.uses import bind
from ticket.verdict import Verdict, judge
from ticket.watch import Report, interruptible, silent


@dataclass(frozen=True)
class Finding:
    """Hold what one seed has shown: its folder, its rounds, its controls, the dense baseline."""

    folder: Path
    seed: int
    rounds: list[dict[str, Any]]
    controls: list[dict[str, Any]]
    dense: dict[str, Any] | None

    @property
    def ticket(self) -> Ticket:
        """Load the ticket that was found."""
        return load(Folder(self.folder).ticket)

    @property
    def final(self) -> dict[str, Any]:
        """Return the figures of the ticket's own training."""
        return dict(self.rounds[-1]["trainings"][-1])

    def control(self, name: str) -> dict[str, Any] | None:
        """Return a control's last training at the final round, if it was asked for."""
        last = self.rounds[-1]["round"]
        for found in self.controls:
            if found["control"] == name and found["at_round"] == last:
                return dict(found["trainings"][-1])
        return None


def find_one(request: Request, objects: Objects | None = None, report: Report = silent) -> Finding:
    """Find the ticket of one seed, or continue, and train the controls that were asked for.

    Raises UsageError for a request that makes no sense, TicketError when it fails, Interrupted.
    """
    refuse_distributed()
    check_request(request)
    prepared = prepare(request, objects)
    refuse_untaught(prepared)
    folder = Folder(request.runs_folder / prepared.config.run_name())
    with interruptible() as stop:
        run = Run(
            prepared.config,
            prepared.task,
            folder,
            report,
            stop,
            request.threads,
            request.keep,
            prepared.weights,
            teacher=prepared.teacher,
        )
        last = len(setting_of(run).rungs)
        wanted = [
            (name, number)
            for name in request.controls
            for number in ([0] if name == "dense" else request.control_rounds or (last,))
        ]
        for _, number in wanted:
            if not 0 <= number <= last:
                raise UsageError(f"--control-rounds {number}: this run has rounds 0 to {last}")
        missing = {n: None for n, r in wanted if not Folder(folder.control(n, r)).finished}
        if not folder.finished:
            try_criteria(prepared.config, prepared.task)
        try_controls(prepared.config, prepared.task, missing)
        rounds = execute(run)["rounds"]
        controls = [run_control(run, name, n) for name, n in wanted if name != "dense" or last]
        dense = _dense(run, rounds, bool(wanted))
    return Finding(folder.path, prepared.config.seed, rounds, controls, dense)


def _dense(run: Run, rounds: list[dict[str, Any]], wanted: bool) -> dict[str, Any] | None:
    """Return the dense network's training: round 0's when it is the same one, else a control's."""
    if len(rounds) == 1:
        return None
    if has_dense_baseline(run.config.recipe):
        return dict(rounds[0]["trainings"][0])
    if wanted:
        return dict(run_control(run, "dense", 0)["trainings"][-1])
    return None


def check_request(request: Request) -> None:
    """Refuse what can be refused before torch does any work."""
    if request.keep not in KEEP:
        raise UsageError(f"--keep wants {', '.join(KEEP)}, got '{request.keep}'")
    for name in request.controls:
        named("transforms", name)
    if request.threads < 1:
        raise UsageError(f"--threads wants 1 or more, got {request.threads}")


def refuse_untaught(prepared: Prepared) -> None:
    """Raise UsageError when a training learns from a teacher that is not there, or none does."""
    config, given = prepared.config, prepared.teacher is not None
    refuse(check_teacher(config.recipe, config.training, given, config.start is not None))


def refuse_distributed() -> None:
    """Raise UsageError under torchrun: training there would be wrong, so there is none."""
    if int(os.environ.get("WORLD_SIZE", "1") or 1) > 1:
        raise UsageError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}: distributed training is not supported yet; "
            "start `ticket` without torchrun, and use --replicates to fill a machine"
        )


def set_aside(folder: Path) -> Path | None:
    """Rename a run's folder so that a fresh one can be made; nothing is deleted.

    Returns the new name, or None when there was nothing. Raises TicketError when it cannot be renamed.
    """
    if not folder.exists():
        return None
    for number in range(1, 10_000):
        aside = folder.with_name(f"{folder.name}.old-{number}")
        if not aside.exists():
            try:
                folder.rename(aside)
            except OSError as problem:
                raise TicketError(f"cannot set {folder} aside: {problem.strerror}") from problem
            return aside
    raise TicketError(f"{folder} was set aside 9,999 times; remove some of them")


def verdict(findings: Sequence[Finding]) -> Verdict:
    """Judge the tickets of several seeds by their test accuracy at the end of training."""
    if len(findings[0].rounds) == 1 and not findings[0].controls:
        return Verdict("no ticket", "the recipe prunes nothing")

    def end(training: dict[str, Any] | None) -> list[float]:
        return [] if training is None else [float(training["end"]["test_accuracy"])]

    return judge(
        [a for f in findings for a in end(f.dense)],
        [a for f in findings for a in end(f.final)],
        [a for f in findings for a in end(f.control("reinit"))],
    )


@dataclass(frozen=True)
class Plan:
    """Say what a run would do: rounds and their exact counts, an estimate of time and disk.

    `warnings` name the layers that will keep too few weights.
    """

    folder: Path
    config: dict[str, object]
    rounds: list[dict[str, Any]]
    seconds: float
    bytes: int
    state: str  # new, unfinished, finished
    warnings: list[str]


def plan(request: Request, objects: Objects | None = None) -> Plan:
    """Resolve a request and estimate it by a few measured steps, writing nothing."""
    from ticket.estimate import disk_bytes, run_seconds

    check_request(request)
    prepared: Prepared = prepare(request, objects)
    refuse_untaught(prepared)
    config = prepared.config
    network = prepared.task.network(config.seed, "init")
    found = layers(network, config.recipe)
    rungs = ladder(config.recipe, found)
    total = sum(layer.size for layer in found)
    dense = sum(layer.size for layer in found if layer.excluded)
    counts = [total] + [rung.kept + dense for rung in rungs]
    try_criteria(config, prepared.task)
    try_controls(config, prepared.task, request.controls)
    folder = Folder(request.runs_folder / config.run_name())
    state = "finished" if folder.finished else "unfinished" if folder.path.exists() else "new"
    return Plan(
        folder.path,
        config.plain(),
        [
            {"round": r, "kept": k, "prunable": total, "density": k / total}
            for r, k in enumerate(counts)
        ],
        run_seconds(prepared, len(rungs), request.threads),
        disk_bytes(network, len(rungs), request.keep),
        state,
        starved(bind(config.recipe.scope), found, rungs),
    )


def fresh(request: Request, objects: Objects | None = None) -> Path | None:
    """Set the folder of this request aside, if there is one."""
    config = prepare(request, objects).config
    return set_aside(request.runs_folder / config.run_name())


def findings_of(folder: Path) -> Finding:
    """Read what a finished run has shown. Raises TicketError when it is not finished."""
    where = Folder(folder)
    if not where.finished:
        raise TicketError(f"{folder} is not finished; the command that began it continues it")
    figures = read_json(where.figures)
    controls = []
    for path in sorted(folder.glob("controls/*/figures.json")):
        name, _, number = path.parent.name.rpartition("-")
        last = read_json(path)["rounds"][-1]
        controls.append({"control": name, "at_round": int(number), **last})
    dense = next((c["trainings"][-1] for c in controls if c["control"] == "dense"), None)
    return Finding(folder, int(figures["seed"]), figures["rounds"], controls, dense)


def seeds_of(request: Request, replicates: int) -> list[Request]:
    """Return one request a seed: the seed asked for and those after it."""
    return [replace(request, seed=request.seed + k) for k in range(replicates)]
