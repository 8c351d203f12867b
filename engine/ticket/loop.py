"""The one loop of all methods: rounds of phases, each written down, so that a kill loses seconds.

    for every round: write its ticket, carry out its phases, write its figures
    then: the ticket, the trained ticket, the figures

Running it again goes on from the checkpoint; on a finished run it does nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch

from ticket import live as living
from ticket.config import to_yaml
from ticket.errors import Interrupted
from ticket.files import lock, remove_leftovers, write_text_atomically
from ticket.folder import Metrics, machine, make, read_json, write_json
from ticket.job import Evaluated, Hooks, Point
from ticket.ladder import ladder
from ticket.live import Live
from ticket.masks import dense_masks
from ticket.network import load_state, state_of
from ticket.phases import Phase, Train, kind_of
from ticket.round import carry_out
from ticket.run import Run
from ticket.setting import Setting
from ticket.task import layers
from ticket.teachers import save_teacher, taught
from ticket.tickets import create
from ticket.watch import CHECKPOINT_SECONDS, CONTINUE, Progress
from ticket.writing import close_round, density_of, finish, note, open_round, ticket_record


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
        run.folder.teacher if any(taught(config.recipe.all_phases(), config.training)) else None,
        None
        if run.toward is None
        else {name: mask.to(run.task.device) for name, mask in run.toward.items()},
    )


def _begin(run: Run) -> None:
    """Write what a reader of the folder wants first; go on with the threads that the run began with."""
    if not run.folder.config.exists():
        write_text_atomically(run.folder.config, to_yaml(run.config))
    if run.teacher is not None and not run.folder.teacher.exists():
        save_teacher(run.folder.teacher, run.teacher)
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
        phases = setting.recipe.phases(live.round, len(setting.rungs))
        if live.phase == 0 and point is None:
            open_round(run, live)
        while live.phase < len(phases):
            _phase(run, live, setting, phases[live.phase], metrics, point)
            live.phase, point = live.phase + 1, None
            _save(run, live, metrics, None)
        close_round(run, live)
        live.round, live.phase = live.round + 1, 0
        _save(run, live, metrics, None)
    finish(run, live)


def _phase(
    run: Run, live: Live, setting: Setting, phase: Phase, metrics: Metrics, point: Point | None
) -> None:
    name = f"{live.phase}-{kind_of(phase)}"
    hooks = hooks_of(
        run, live, len(setting.rungs), name, metrics, lambda p: _save(run, live, metrics, p)
    )
    if isinstance(phase, Train) and run.stop.asked:
        _leave(run)
    began = time.perf_counter()
    outcome = carry_out(live, phase, setting, f"round-{live.round}/{name}", hooks, point)
    if not isinstance(phase, Train):  # which counts what it took before an interruption, too
        outcome = replace(outcome, seconds=time.perf_counter() - began)
    note(live, name, phase, outcome)
    first = live.round == 0 and run.keep == "tickets" and run.start is None
    if isinstance(phase, Train) and (run.keep == "all" or first):
        trained = create(live.model, live.masks, record=ticket_record(run, live))
        trained.save(run.folder.round(live.round) / f"trained-{live.phase}.safetensors")
    state = Progress("phase", run.config.seed, live.round, len(setting.rungs), name)
    run.report(replace(state, density=density_of(live), text=kind_of(phase)))


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
    density = density_of(live)

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

    def measured(step: int, values: Mapping[str, float]) -> None:
        metrics.add(round=live.round, phase=name, iteration=step, **values)

    return Hooks(after_step, evaluated, measured)


def _leave(run: Run) -> None:
    raise Interrupted(f"{CONTINUE} (everything is saved in {run.folder.path})")


def _save(run: Run, live: Live, metrics: Metrics, point: Point | None) -> None:
    live.metrics_bytes = metrics.flush()
    living.save(run.folder.checkpoint, live, point)
