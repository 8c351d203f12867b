"""One phase of a round carried out: train, mark, cut or rewind, and what it showed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ticket import training_loop
from ticket.batches import Splits, per_epoch
from ticket.doomed import doomed_over_kept, overlap
from ticket.errors import TicketError
from ticket.evaluation import Score, evaluate
from ticket.initialising import initialise
from ticket.ladder import Layer, Rung, groups
from ticket.live import Live
from ticket.losses import wants_teacher
from ticket.masks import apply_, prunable
from ticket.network import load_state, state_of
from ticket.phases import Cut, Mark, Phase, Rewind, Train
from ticket.recipe import Recipe
from ticket.rewinds import read_rewind, save_rewind
from ticket.scoring import Survey, select
from ticket.seeds import stream
from ticket.steps import Steps
from ticket.task import Task
from ticket.teachers import load_teacher, save_teacher
from ticket.toward import select_toward
from ticket.training import Training
from ticket.uses import Use, bind


@dataclass(frozen=True)
class Setting:
    """Hold what all phases of a run share."""

    task: Task
    splits: Splits
    training: Training
    recipe: Recipe
    seed: int
    layers: list[Layer]
    rungs: list[Rung]
    rewind_file: (
        Path | None
    )  # of the state to return to when that is not step 0; None: never written
    origin: Mapping[str, Tensor]  # the state at step 0
    teacher_file: Path | None = None  # of the teacher, where a training learns from one
    toward: Mapping[str, Tensor] | None = None  # the masks that the rounds lead to, where given


@dataclass(frozen=True)
class Outcome:
    """Hold what a phase showed; `seconds` is kept apart from what two runs must agree on."""

    figures: dict[str, Any]
    seconds: float = 0.0


def train_phase(
    live: Live,
    phase: Train,
    setting: Setting,
    label: str,
    hooks: training_loop.Hooks,
    point: training_loop.Point | None,
) -> Outcome:
    """Train the live network and report it at the early-stop iteration and at the end.

    The early-stop iteration is that of the lowest validation loss, found afterwards (Frankle & Carbin
    2019, appendix C): training runs on unless the phase has a patience.
    """
    training = resolved(phase, setting)
    job = training_loop.Job(
        training,
        setting.splits,
        setting.seed,
        label,
        live.masks,
        live.doomed,
        live.start,
        live.moments,
        _teacher(setting) if wants_teacher(training.loss) else None,
    )
    steps = _rewind_steps(setting) if _is_first(live, setting) else 0
    if steps and setting.rewind_file:
        hooks = _saving_rewind(live, setting.rewind_file, steps, hooks)
    point = training_loop.run(live.model, job, hooks, point)
    if point.step < steps:
        raise TicketError(
            f"the first training ended at iteration {point.step}, before {steps}, the one to rewind to; "
            "rewind to an earlier one or train longer"
        )
    if _is_first(live, setting) and setting.teacher_file and not setting.teacher_file.exists():
        save_teacher(setting.teacher_file, live.model)
    return Outcome(_figures(live, setting, point, job), point.seconds)


def _teacher(setting: Setting) -> nn.Module:
    if setting.teacher_file is None:
        raise TicketError("a training wants a teacher, and the run has none")
    network = setting.task.network(setting.seed, "init")
    load_state(network, load_teacher(setting.teacher_file))
    return network


def resolved(phase: Train, setting: Setting) -> Training:
    """Return the training of a phase, a length in percent turned into iterations."""
    training, task = phase.training(setting.training), setting.training
    if training.length.unit != "%":
        return training
    whole = task.length.iterations(per_epoch(setting.splits.train, task.batch_size))
    return replace(training, length=Steps(training.length.iterations(0, whole), "it"))


def _figures(
    live: Live, setting: Setting, point: training_loop.Point, job: training_loop.Job
) -> dict[str, Any]:
    end = _test(live, setting)
    fit = _pair("train", evaluate(live.model, setting.splits.train))
    best = end
    if point.best_step not in (point.step, -1):
        end_state = state_of(live.model)
        load_state(live.model, point.best)
        best = _test(live, setting)
        load_state(live.model, end_state)
    validation = point.best_score if job.training.restore_best else point.last_score
    early = {"iteration": point.best_step, **_pair("validation", point.best_score), **best}
    return {
        "iterations": point.step - job.start,
        "early_stop": early,
        "end": {"iteration": point.step, **_pair("validation", validation), **end, **fit},
    }


def _test(live: Live, setting: Setting) -> dict[str, float]:
    return _pair("test", evaluate(live.model, setting.splits.test))


def _pair(name: str, score: Score) -> dict[str, float]:
    return {f"{name}_loss": score.loss, f"{name}_accuracy": score.accuracy}


def _is_first(live: Live, setting: Setting) -> bool:
    """Tell whether this is the dense training of round 0, which passes the state to rewind to."""
    phases = setting.recipe.opening()
    trains = [i for i, phase in enumerate(phases) if isinstance(phase, Train)]
    return setting.rewind_file is not None and (live.round, live.phase) == (0, *trains[:1])


def _rewind_steps(setting: Setting) -> int:
    each = per_epoch(setting.splits.train, setting.training.batch_size)
    whole = setting.training.length.iterations(each)
    return max((r.to.iterations(each, whole) for r in setting.recipe.rewinds()), default=0)


def _saving_rewind(
    live: Live, path: Path, steps: int, hooks: training_loop.Hooks
) -> training_loop.Hooks:
    """Save the state at the step to rewind to, as the first training passes it."""

    def after_step(point: training_loop.Point, sync: Callable[[], None]) -> None:
        if point.step == steps:
            sync()
            save_rewind(path, steps, state_of(live.model), point.moments)
        hooks.after_step(point, sync)

    return replace(hooks, after_step=after_step)


def mark_phase(live: Live, phase: Mark, setting: Setting) -> Outcome:
    """Select the doomed: what the next cut removes."""
    after = _selected(live, phase.criterion, setting)
    live.doomed = {name: mask & ~after[name] for name, mask in live.masks.items()}
    return Outcome({"doomed": sum(int(d.count_nonzero()) for d in live.doomed.values())})


def cut_phase(live: Live, phase: Cut, setting: Setting) -> Outcome:
    """Remove weights and report how much the network noticed.

    With a criterion of its own the cut selects anew; `overlap` is then the share of the doomed among
    the removed, and `doomed_over_kept` the mean |w| of the doomed over that of the others.
    """
    figures: dict[str, Any] = {}
    if live.doomed is not None and any(bool(d.any()) for d in live.doomed.values()):
        figures["doomed_over_kept"] = doomed_over_kept(live.model, live.masks, live.doomed)
    if phase.criterion is None:
        after = {name: mask & ~(live.doomed or {})[name] for name, mask in live.masks.items()}
    else:
        after = _selected(live, phase.criterion, setting)
        if live.doomed is not None:
            figures["overlap"] = overlap(live.doomed, after)
    before = _known_scores(live, setting) or _cut_scores(live, setting)
    live.masks, live.doomed = after, None  # what was marked is gone
    apply_(live.model, live.masks)
    return Outcome({**figures, "before": before, "after": _cut_scores(live, setting)})


def _known_scores(live: Live, setting: Setting) -> dict[str, float] | None:
    """Return the scores of the training just before the cut, if nothing has moved a weight since."""
    moving = [p for p in _phases(live, setting)[: live.phase] if not isinstance(p, Mark)]
    if not moving or not isinstance(moving[-1], Train):
        return None
    end = live.records[live.round]["trainings"][-1]["end"]
    names = ("validation_loss", "validation_accuracy", "test_loss", "test_accuracy")
    return {name: float(end[name]) for name in names}


def _phases(live: Live, setting: Setting) -> tuple[Phase, ...]:
    return setting.recipe.phases(live.round, len(setting.rungs))


def _cut_scores(live: Live, setting: Setting) -> dict[str, float]:
    validation = evaluate(live.model, setting.splits.validation)
    return _pair("validation", validation) | _pair(
        "test", evaluate(live.model, setting.splits.test)
    )


def _selected(live: Live, criterion: Use, setting: Setting) -> dict[str, Tensor]:
    rung = setting.rungs[live.round]
    kept = {name: int(mask.count_nonzero()) for name, mask in live.masks.items()}
    generator = stream(setting.seed, "masks", live.round, live.phase)
    survey = Survey(
        {name: w.detach() for name, w in prunable(live.model).items()}, live.masks, generator
    )
    scores = bind(criterion)(survey)
    made = groups(bind(setting.recipe.scope), setting.layers, rung, kept)
    if setting.toward is not None:
        return dict(select_toward(scores, live.masks, made, setting.toward))
    allow = setting.recipe.allow_empty_layers
    return select(scores, live.masks, made, allow_empty_layers=allow)


def rewind_phase(live: Live, phase: Rewind, setting: Setting) -> Outcome:
    """Return the survivors to an earlier state, and the schedule with them."""
    each = per_epoch(setting.splits.train, setting.training.batch_size)
    step = phase.to.iterations(each, setting.training.length.iterations(each))
    live.doomed, live.start, live.moments = None, step, {}
    if phase.restore == "fresh":
        fresh = setting.task.network(setting.seed, "reinit", live.round)
        if phase.init is not None:
            generator = stream(setting.seed, "reinit", live.round, "init")
            initialise(fresh, live.masks, phase.init, generator)
        load_state(live.model, state_of(fresh))
    elif phase.restore == "weights":
        state, moments = _rewound(setting, step)
        load_state(live.model, state)
        if phase.optimizer == "rewound":
            live.moments = moments
    apply_(live.model, live.masks)
    return Outcome({})


def _rewound(setting: Setting, step: int) -> tuple[Mapping[str, Tensor], dict[str, Tensor]]:
    if step == 0:
        return setting.origin, {}
    if setting.rewind_file is None:
        raise TicketError(f"there is no state of step {step} to rewind to")
    return read_rewind(setting.rewind_file, step)


def carry_out(
    live: Live,
    phase: Phase,
    setting: Setting,
    label: str,
    hooks: training_loop.Hooks,
    point: training_loop.Point | None,
) -> Outcome:
    """Carry out one phase on the live network."""
    if isinstance(phase, Train):
        return train_phase(live, phase, setting, label, hooks, point)
    if isinstance(phase, Mark):
        return mark_phase(live, phase, setting)
    if isinstance(phase, Cut):
        return cut_phase(live, phase, setting)
    return rewind_phase(live, phase, setting)
