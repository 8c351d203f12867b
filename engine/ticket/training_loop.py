"""The training loop: one training of one (masked) network, which a kill cannot hurt.

All that a training is at a step lies in `Point`; everything else follows from it, so a training that is
resumed from a saved point goes on bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ticket.batches import Splits, batches, per_epoch
from ticket.errors import TicketError, UsageError
from ticket.evaluation import Score, evaluate
from ticket.losses import loss_of
from ticket.masks import Held, prunable
from ticket.metrics import measure_of
from ticket.network import copy_state, load_state, state_of
from ticket.schedule import rate_at
from ticket.seeds import torch_seeded
from ticket.training import Training
from ticket.uses import bind

NAN_CHECK = 100  # steps between looks at the losses; on a GPU each look waits for the device


@dataclass
class Point:
    """Say where a training is: enough, with the network's weights, to go on exactly.

    `best` is the network at the lowest validation loss so far, `stale` the evaluations since.
    """

    step: int
    stale: int = 0
    best_step: int = -1
    best_score: Score = Score(math.inf, 0.0)
    last_score: Score = Score(math.inf, 0.0)
    train_loss: float = 0.0  # summed since the last evaluation
    seconds: float = 0.0
    best: dict[str, Tensor] = field(default_factory=dict)
    moments: dict[str, Tensor] = field(default_factory=dict)  # of the optimizer, by parameter
    random: Tensor | None = None  # torch's own generator: dropout draws from it


@dataclass(frozen=True)
class Evaluated:
    """Report one evaluation on the validation set."""

    step: int
    steps: int
    train_loss: float
    score: Score
    seconds: float


@dataclass(frozen=True)
class Hooks:
    """Let the caller look on: after every step, after every evaluation, and at measurements."""

    after_step: Callable[[Point, Callable[[], None]], None]
    evaluated: Callable[[Evaluated], None]
    measured: Callable[[int, Mapping[str, float]], None] = lambda step, measured: None


@dataclass(frozen=True)
class Job:
    """Hold what does not change during one training.

    `label` names the training's random streams; `start` is the step it begins at (after a rewind).
    """

    training: Training
    splits: Splits
    seed: int
    label: str
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    doomed: Mapping[str, Tensor] | None = None
    start: int = 0
    moments: Mapping[str, Tensor] = field(default_factory=dict)  # the optimizer's, when rewound too
    teacher: nn.Module | None = None  # for a loss that learns from one


def length(job: Job) -> tuple[int, int]:
    """Return the step at which the training ends, and the steps of an epoch."""
    each = per_epoch(job.splits.train, job.training.batch_size)
    return job.training.length.iterations(each), each


def run(model: nn.Module, job: Job, hooks: Hooks, point: Point | None = None) -> Point:
    """Train the network in place and return the last point; `point` continues an interrupted one.

    Raises TicketError, naming the iteration, when the loss is no longer a number; UsageError when
    there is no iteration to train.
    """
    steps, _ = length(job)
    if steps <= job.start:
        raise UsageError(
            f"a training of {job.training.length} that starts at iteration {job.start} has no "
            "iterations; train longer (--steps, --epochs) or rewind to an earlier one"
        )
    device = job.splits.train.labels.device
    with torch_seeded(job.seed, "torch", job.label):
        if point is None:
            point = Point(job.start, moments=dict(job.moments))
        if point.random is not None:
            torch.set_rng_state(point.random)
        optimizer = make_optimizer(model, job.training)
        put_moments(optimizer, model, point.moments)
        held = Held(model, job.masks, optimizer) if job.masks else None
        if held:
            held.after_step()
        if device.type == "cuda":
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        model.train()
        _steps(model, job, hooks, point, optimizer, held)
        point.moments = moments_of(optimizer, model)
    if job.training.restore_best and point.best:
        load_state(model, point.best)
    return point


def _steps(
    model: nn.Module, job: Job, hooks: Hooks, point: Point, optimizer: Optimizer, held: Held | None
) -> None:
    training, splits = job.training, job.splits
    steps, each = length(job)
    every = max(1, training.eval_every.iterations(each, steps))
    rate, penalties = rate_at(training, steps, each), _penalties(model, job)
    forward = _forward(model, splits.train.labels.device)
    loss_at = loss_of(training.loss, job.teacher)
    device = splits.train.labels.device
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    precision: AbstractContextManager[object] = nullcontext()
    if training.precision != "float32":
        precision = torch.autocast(device.type, torch.bfloat16)
    step = held.step if held else optimizer.step
    measure = measure_of(training, model, job.masks) if training.metrics else None
    losses: list[Tensor] = []
    began = time.perf_counter() - point.seconds

    def sync() -> None:
        """Bring the point up to date: called before it is saved."""
        point.seconds = time.perf_counter() - began
        point.train_loss += _sum_checked(losses, point.step)
        point.moments = moments_of(optimizer, model)
        point.random = torch.get_rng_state()

    feed = batches(splits, training.batch_size, job.seed, job.label, point.step, training.augment)
    while point.step < steps and not _stopped(training, point):
        inputs, labels = next(feed)
        for group in optimizer.param_groups:
            group["lr"] = rate(point.step)
        for parameter in parameters:  # zero_grad, at a tenth of its cost
            parameter.grad = None
        with precision:
            loss = loss_at(inputs, forward, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        if measure and point.step % every == 0:
            hooks.measured(point.step, measure())
        penalties((point.step - job.start) / (steps - job.start))
        step()
        point.step += 1
        losses.append(loss.detach())
        if len(losses) >= NAN_CHECK:
            point.train_loss += _sum_checked(losses, point.step)
        if point.step % every == 0 or point.step == steps:
            point.seconds = time.perf_counter() - began
            point.train_loss += _sum_checked(losses, point.step)
            _evaluate(model, job, hooks, point, steps, every)
        hooks.after_step(point, sync)


def _forward(model: nn.Module, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Return the network's forward pass for training: compiled on a GPU, where launches cost most."""
    if device.type != "cuda":
        return model
    compiled: Callable[[Tensor], Tensor] = torch.compile(model)
    return lambda inputs: compiled(inputs.contiguous(memory_format=torch.channels_last))


def _stopped(training: Training, point: Point) -> bool:
    return training.patience is not None and point.stale >= training.patience


def _evaluate(
    model: nn.Module, job: Job, hooks: Hooks, point: Point, steps: int, every: int
) -> None:
    score = evaluate(model, job.splits.validation)
    if not math.isfinite(score.loss):  # the last step has broken what its own loss did not show
        raise _diverged("validation loss", score.loss, point.step)
    since = point.step - max(job.start, (point.step - 1) // every * every)
    hooks.evaluated(Evaluated(point.step, steps, point.train_loss / since, score, point.seconds))
    point.train_loss, point.last_score, point.stale = 0.0, score, point.stale + 1
    if score.loss < point.best_score.loss:
        point.best_step, point.best_score, point.stale = point.step, score, 0
        if point.best:
            copy_state(model, point.best)
        else:
            point.best = state_of(model)


def _sum_checked(losses: list[Tensor], step: int) -> float:
    """Sum and empty the list of the losses of the last steps, the newest at `step`."""
    if not losses:
        return 0.0
    values = torch.stack(losses).double().tolist()
    losses.clear()
    for number, value in enumerate(values):
        if not math.isfinite(value):
            iteration = step - len(values) + 1 + number
            raise _diverged("loss", value, iteration)
    return math.fsum(values)


def _diverged(what: str, value: float, iteration: int) -> TicketError:
    return TicketError(
        f"training diverged: the {what} is {value} at iteration {iteration}; lower the learning rate "
        "(--lr) or the ceiling of the penalty"
    )


def make_optimizer(model: nn.Module, training: Training) -> Optimizer:
    """Make the optimizer of a training; prunable weights may be spared the weight decay."""
    weights = list(prunable(model).values())
    spared = {id(w) for w in weights} if not training.decay_prunable else set()
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {
            "params": [p for p in parameters if id(p) not in spared],
            "weight_decay": training.weight_decay,
        },
        {"params": [p for p in parameters if id(p) in spared], "weight_decay": 0.0},
    ]
    optimizer: Optimizer = bind(training.optimizer)([g for g in groups if g["params"]], training.lr)
    return optimizer


def moments_of(optimizer: Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """Return the optimizer's tensors as `<parameter>|<moment>`, on the CPU."""
    names = {id(p): name for name, p in model.named_parameters()}
    return {
        f"{names[id(parameter)]}|{key}": value.detach().to("cpu", copy=True)
        for parameter, values in optimizer.state.items()
        for key, value in values.items()
        if isinstance(value, Tensor)
    }


def put_moments(optimizer: Optimizer, model: nn.Module, moments: Mapping[str, Tensor]) -> None:
    """Give a fresh optimizer the tensors of `moments_of`."""
    parameters = dict(model.named_parameters())
    fused = bool(optimizer.defaults.get("fused"))
    for name, value in moments.items():
        parameter, _, key = name.rpartition("|")
        target = parameters[parameter]
        # Only a fused step counts its steps on the device.
        where = target.device if value.dim() or fused else torch.device("cpu")
        optimizer.state[target][key] = value.to(where, copy=True)


def _penalties(model: nn.Module, job: Job) -> Callable[[float], None]:
    """Return what adds the regularizers' gradients at a share of the phase in [0, 1)."""
    regularizers = [bind(use) for use in job.training.regularizers]
    weights = prunable(model)
    doomed = job.doomed or {}

    @torch.no_grad()
    def add(progress: float) -> None:
        for regularizer in regularizers:
            for name, weight in weights.items():
                if weight.grad is not None:
                    regularizer(weight, weight.grad, doomed.get(name), progress)

    return add
