"""One phase of a round carried out: training and rewinding are here, mark and cut in `cutting`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ticket import training_loop
from ticket.batches import per_epoch
from ticket.cutting import aim_of, cut_phase, left_by, mark_of, mark_phase
from ticket.errors import TicketError
from ticket.evaluation import evaluate
from ticket.initialising import initialise
from ticket.job import Hooks, Job, Point
from ticket.live import Live
from ticket.losses import wants_teacher
from ticket.masks import apply_, kept
from ticket.network import load_state, state_of
from ticket.phases import Cut, Mark, Phase, Rewind, Train
from ticket.rewinds import read_rewind, save_rewind
from ticket.seeds import stream
from ticket.setting import Outcome, Setting, pair
from ticket.settling import settled
from ticket.steps import Steps
from ticket.teachers import load_teacher, save_teacher
from ticket.training import Training


def train_phase(
    live: Live,
    phase: Train,
    setting: Setting,
    label: str,
    hooks: Hooks,
    point: Point | None,
) -> Outcome:
    """Train the live network and report it at the early-stop iteration and at the end.

    The early-stop iteration is that of the lowest validation loss, found afterwards (Frankle & Carbin
    2019, appendix C): training runs on unless the phase has a patience.
    """
    training = resolved(phase, setting)
    job = Job(
        training,
        setting.splits,
        setting.seed,
        label,
        live.masks,
        live.doomed,
        live.start,
        live.moments,
        aim_of(live, setting),
        teacher=_teacher(setting) if wants_teacher(training.loss) else None,
    )
    if (distance := training.mask_distance) is not None:
        job = replace(job, settled=_settling(live, setting, distance))
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
    live.masks = point.masks
    # What was rewound was for this training; one that pauses hands its own place on to the next.
    paused = point.step < training_loop.length(job)[0] and (point.settled or training.until)
    live.start, live.moments = (point.step, point.moments) if paused else (0, {})
    return Outcome(_figures(live, setting, point, job), point.seconds)


def _teacher(setting: Setting) -> nn.Module:
    if setting.teacher_file is None:
        raise TicketError("a training wants a teacher, and the run has none")
    network = setting.task.network(setting.seed, "init")
    load_state(network, load_teacher(setting.teacher_file))
    return network


def _settling(live: Live, setting: Setting, distance: float) -> Callable[[Point], bool]:
    """Return what draws the masks that the next mark or cut would leave, and asks whether they settle."""
    following = setting.recipe.phases(live.round, len(setting.rungs))[live.phase + 1 :]
    mark = next(m for phase in following if (m := mark_of(phase)) is not None)
    inside = [layer.name for layer in setting.layers if not layer.excluded]

    def ask(point: Point) -> bool:
        left = left_by(mark, live, setting)
        return settled({name: left[name] for name in inside}, point.memory, distance)

    return ask


def resolved(phase: Train, setting: Setting) -> Training:
    """Return the training of a phase, a length in percent turned into iterations."""
    training, task = phase.training(setting.training), setting.training
    if training.length.unit != "%":
        return training
    whole = task.length.iterations(per_epoch(setting.splits.train, task.batch_size))
    return replace(training, length=Steps(training.length.iterations(0, whole), "it"))


def _figures(live: Live, setting: Setting, point: Point, job: Job) -> dict[str, Any]:
    end = _test(live, setting)
    fit = pair("train", evaluate(live.model, setting.splits.train))
    best = end
    if point.best_step not in (point.step, -1):
        end_state = state_of(live.model)
        load_state(live.model, point.best)
        best = _test(live, setting)
        load_state(live.model, end_state)
    validation = point.best_score if job.training.restore_best else point.last_score
    early = {"iteration": point.best_step, **pair("validation", point.best_score), **best}
    return {
        "iterations": point.step - job.start,
        **_mask_figures(point),
        "early_stop": early,
        "end": {"iteration": point.step, **pair("validation", validation), **end, **fit},
    }


def _mask_figures(point: Point) -> dict[str, Any]:
    """Return what changing masks have shown; `explored`: the share of weights ever kept (Liu et al. 2021)."""
    if not point.updates:
        return {}
    seen = sum(int(mask.count_nonzero()) for mask in point.explored.values())
    explored = seen / sum(mask.numel() for mask in point.explored.values())
    return {"masks": {"updates": point.updates, "kept": kept(point.masks), "explored": explored}}


def _test(live: Live, setting: Setting) -> dict[str, float]:
    return pair("test", evaluate(live.model, setting.splits.test))


def _is_first(live: Live, setting: Setting) -> bool:
    """Tell whether this is the dense training of round 0, which passes the state to rewind to."""
    phases = setting.recipe.opening()
    trains = [i for i, phase in enumerate(phases) if isinstance(phase, Train)]
    return setting.rewind_file is not None and (live.round, live.phase) == (0, *trains[:1])


def _rewind_steps(setting: Setting) -> int:
    each = per_epoch(setting.splits.train, setting.training.batch_size)
    whole = setting.training.length.iterations(each)
    return max((r.to.iterations(each, whole) for r in setting.recipe.rewinds()), default=0)


def _saving_rewind(live: Live, path: Path, steps: int, hooks: Hooks) -> Hooks:
    """Save the state at the step to rewind to, as the first training passes it."""

    def after_step(point: Point, sync: Callable[[], None]) -> None:
        if point.step == steps:
            sync()
            save_rewind(path, steps, state_of(live.model), point.moments)
        hooks.after_step(point, sync)

    return replace(hooks, after_step=after_step)


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
    hooks: Hooks,
    point: Point | None,
) -> Outcome:
    """Carry out one phase on the live network."""
    if isinstance(phase, Train):
        return train_phase(live, phase, setting, label, hooks, point)
    if isinstance(phase, Mark):
        return mark_phase(live, phase, setting)
    if isinstance(phase, Cut):
        return cut_phase(live, phase, setting)
    return rewind_phase(live, phase, setting)
