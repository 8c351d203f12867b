"""The one loop of all methods: rounds of phases, each written down, so that a kill loses seconds.

    for every round: write its ticket, carry out its phases, write its figures
    then: the ticket, the trained ticket, the figures

Running it again goes on from the checkpoint; on a finished run it does nothing.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from ticket import live as living
from ticket.config import Config, to_yaml
from ticket.errors import Interrupted
from ticket.files import lock, remove_leftovers, write_text_atomically
from ticket.folder import Folder, Metrics, machine, make, read_json, write_json
from ticket.ladder import ladder
from ticket.live import Live
from ticket.masks import counts, dense_masks
from ticket.masks import kept as count_kept
from ticket.network import load_state, state_of
from ticket.phases import Phase, Train, kind_of
from ticket.round import Outcome, Setting, carry_out
from ticket.task import Task, layers
from ticket.tickets import Ticket, create, load
from ticket.training_loop import Evaluated, Hooks, Point
from ticket.uses import plain
from ticket.watch import CHECKPOINT_SECONDS, CONTINUE, Progress, Report, Stop

KEEP = ("tickets", "all", "last")


@dataclass(frozen=True)
class Run:
    """Hold one run: what is to be done, where, and who looks on.

    `weights` is the state to start from instead of a fresh initialisation; `keep` says which files of
    the rounds stay: their `tickets` (and the trained dense network), `all` (the trained weights of every
    round too), or those of round 0 and of the `last` alone.
    """

    config: Config
    task: Task
    folder: Folder
    report: Report
    stop: Stop
    threads: int = 1
    keep: str = "tickets"
    weights: dict[str, torch.Tensor] | None = None
    start: Ticket | None = None  # the ticket to train: no rounds are run


def execute(run: Run) -> dict[str, Any]:
    """Run, or continue, one run to its end and return its figures.

    Raises Interrupted when the user stopped it (the same call continues), TicketError when another
    process has the folder or the training fails.
    """
    if run.folder.finished:  # not even the lock is touched
        run.folder.checkpoint.unlink(missing_ok=True)  # a kill at the very end has left it
        return dict(read_json(run.folder.figures))
    make(run.folder.path)
    threads = torch.get_num_threads()
    with lock(run.folder.path):
        for folder in (run.folder.path, *run.folder.path.glob("round-*")):
            remove_leftovers(folder)
        if not run.folder.finished:
            _begin(run)
            try:
                _rounds(run)
            finally:
                torch.set_num_threads(threads)
    return dict(read_json(run.folder.figures))


def setting_of(run: Run) -> Setting:
    """Return what all phases of the run share; it follows from the configuration alone."""
    config = run.config
    network = run.task.network(config.seed, "init")
    if run.weights is not None:
        load_state(network, run.weights)
    found = layers(network, config.recipe)
    rungs = ladder(config.recipe, found) if run.start is None else []
    return Setting(
        run.task,
        run.task.splits(config.seed),
        config.training,
        config.recipe,
        config.seed,
        found,
        rungs,
        run.folder.rewind if run.start is None else None,
        state_of(network),
    )


def _begin(run: Run) -> None:
    """Write what a reader of the folder wants first; go on with the threads that the run began with."""
    if not run.folder.config.exists():
        write_text_atomically(run.folder.config, to_yaml(run.config))
    if not (run.folder.path / "machine.json").exists():
        document = machine(run.threads, run.task.device)
        write_json(run.folder.path / "machine.json", document)
    torch.set_num_threads(int(read_json(run.folder.path / "machine.json")["threads"]))


def _fresh(run: Run, setting: Setting) -> Live:
    network = run.task.network(run.config.seed, "init")
    if run.start is not None:
        run.start.apply(network)
        masks = {n: m.to(run.task.device) for n, m in run.start.masks.items()}
        return Live(network, masks, start=int(run.start.record.get("start", 0)))
    load_state(network, setting.origin)
    return Live(network, dense_masks(network))


def _rounds(run: Run) -> None:
    setting = setting_of(run)
    point: Point | None = None
    if run.folder.checkpoint.exists():
        model = run.task.network(run.config.seed, "init")
        live, point = living.restore(run.folder.checkpoint, model)
    else:
        live = _fresh(run, setting)
    metrics = Metrics(run.folder.metrics, live.metrics_bytes)
    while live.round <= len(setting.rungs):
        final = live.round == len(setting.rungs)
        phases = setting.recipe.final if final else setting.recipe.round
        if live.phase == 0 and point is None:
            _open_round(run, live)
        while live.phase < len(phases):
            _phase(run, live, setting, phases[live.phase], metrics, point)
            live.phase, point = live.phase + 1, None
            _save(run, live, metrics, None)
        _close_round(run, live)
        live.round, live.phase = live.round + 1, 0
        _save(run, live, metrics, None)
    _finish(run, live)


def _phase(
    run: Run, live: Live, setting: Setting, phase: Phase, metrics: Metrics, point: Point | None
) -> None:
    name = f"{live.phase}-{kind_of(phase)}"
    hooks = hooks_of(
        run, live, len(setting.rungs), name, metrics, lambda p: _save(run, live, metrics, p)
    )
    if isinstance(phase, Train) and run.stop.asked:
        _leave(run)
    outcome = carry_out(live, phase, setting, f"round-{live.round}/{name}", hooks, point)
    _note(live, name, phase, outcome)
    if isinstance(phase, Train):
        live.start, live.moments = 0, {}  # a rewind is for the training that follows it
        if run.keep == "all" or (live.round == 0 and run.keep == "tickets" and run.start is None):
            trained = create(live.model, live.masks, record=ticket_record(run, live))
            trained.save(run.folder.round(live.round) / f"trained-{live.phase}.safetensors")
    state = Progress("phase", run.config.seed, live.round, len(setting.rungs), name)
    run.report(replace(state, density=_density(live), text=kind_of(phase)))


def _note(live: Live, name: str, phase: Phase, outcome: Outcome) -> None:
    record = live.records[live.round]
    if isinstance(phase, Train):
        record["trainings"].append({"phase": name, **outcome.figures})
    elif outcome.figures:
        record[kind_of(phase)] = outcome.figures
    seconds = live.seconds[live.round]
    seconds[name] = seconds.get(name, 0.0) + outcome.seconds


def hooks_of(
    run: Run,
    live: Live,
    rounds: int,
    name: str,
    metrics: Metrics,
    save: Callable[[Point], None],
) -> Hooks:
    """Return hooks that measure, report, save a checkpoint every few seconds, and stop when asked."""
    saved = time.monotonic()
    density = _density(live)

    def after_step(point: Point, sync: Callable[[], None]) -> None:
        nonlocal saved
        if run.stop.asked or time.monotonic() - saved > CHECKPOINT_SECONDS:
            sync()
            save(point)
            saved = time.monotonic()
            if run.stop.asked:
                _leave(run)

    def evaluated(e: Evaluated) -> None:
        metrics.add(
            round=live.round,
            phase=name,
            iteration=e.step,
            train_loss=e.train_loss,
            validation_loss=e.score.loss,
            validation_accuracy=e.score.accuracy,
            seconds=round(e.seconds, 3),
        )
        run.report(
            Progress(
                "evaluated", run.config.seed, live.round, rounds, name, e.step, e.steps,
                e.train_loss, e.score.loss, e.score.accuracy, density,
            )
        )  # fmt: skip

    return Hooks(after_step, evaluated)


def _leave(run: Run) -> None:
    raise Interrupted(f"{CONTINUE} (everything is saved in {run.folder.path})")


def _save(run: Run, live: Live, metrics: Metrics, point: Point | None) -> None:
    live.metrics_bytes = metrics.flush()
    living.save(run.folder.checkpoint, live, point)


def _density(live: Live) -> float:
    kept, prunable = counts(live.model, live.masks)
    return kept / prunable


def _open_round(run: Run, live: Live) -> None:
    """Write the ticket of this round: its masks, and the state its training starts from."""
    kept, prunable = counts(live.model, live.masks)
    by_layer = {name: count_kept({name: mask}) for name, mask in live.masks.items()}
    record = {
        "round": live.round,
        "kept": kept,
        "prunable": prunable,
        "density": kept / prunable,
        "layers": by_layer,
        "trainings": [],
    }
    del live.records[live.round :], live.seconds[live.round :]
    live.records.append(record)
    live.seconds.append({})
    make(run.folder.round(live.round))
    create(live.model, live.masks, record=ticket_record(run, live)).save(
        _round_ticket(run, live.round)
    )


def ticket_record(run: Run, live: Live) -> dict[str, Any]:
    """Return the record that goes into a ticket's file: no times, so that two runs agree byte by byte."""
    config = run.config
    parent = config.start if run.start is not None else None
    return {
        "model": {"name": config.model.name, "options": plain(config.model.options)},
        "dataset": config.plain()["dataset"],
        "training": config.plain()["training"],
        "recipe": config.plain()["recipe"],
        "seeds": {"seed": config.seed},
        "weights": config.weights,
        "start": live.start,
        "rounds": live.records,
        "parent": parent,
        "versions": {
            "torch": torch.__version__,
            "python": ".".join(map(str, sys.version_info[:2])),
        },
    }


def _round_ticket(run: Run, number: int) -> Any:
    return run.folder.round(number) / "ticket.safetensors"


def _close_round(run: Run, live: Live) -> None:
    """Complete the ticket of this round with what the round showed."""
    path = _round_ticket(run, live.round)
    ticket = load(path)
    Ticket(ticket.masks, ticket.state, {**ticket.record, "rounds": live.records}).save(path)
    seconds = {"seconds": live.seconds[live.round]}
    write_json(run.folder.round(live.round) / "figures.json", live.records[live.round] | seconds)
    if run.keep == "last" and live.round > 1:  # round 0 is where controls start from
        shutil.rmtree(run.folder.round(live.round - 1), ignore_errors=True)


def _finish(run: Run, live: Live) -> None:
    """Write the ticket, the trained ticket and, last, the figures that say the run is finished."""
    last = load(_round_ticket(run, live.round - 1))
    last.save(run.folder.ticket)
    record = {**dict(last.record), "trained": True}
    create(live.model, live.masks, record=record).save(run.folder.trained)
    write_json(
        run.folder.figures,
        {
            "config": run.config.plain(),
            "seed": run.config.seed,
            "rounds": [r | {"seconds": s} for r, s in zip(live.records, live.seconds, strict=True)],
        },
    )
    run.folder.checkpoint.unlink(missing_ok=True)
    run.report(
        Progress(
            "done", run.config.seed, live.round - 1, live.round - 1, "", density=_density(live)
        )
    )
