"""The training loop: one training of one (masked) network, which a kill cannot hurt.

All that a training is at a step lies in `Point`; everything else follows from it, so a training that is
resumed from a saved point goes on bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ticket.batches import batches, per_epoch
from ticket.errors import TicketError, UsageError
from ticket.evaluation import evaluate
from ticket.job import Evaluated, Hooks, Job, Point
from ticket.losses import loss_of
from ticket.mask_updates import change_masks, due
from ticket.masks import Held, prunable
from ticket.metrics import measure_of
from ticket.network import copy_state, load_state, state_of
from ticket.optimizing import make_optimizer, moments_of, put_moments
from ticket.schedule import Clock, rate_at
from ticket.seeds import torch_seeded
from ticket.training import Training
from ticket.uses import bind

NAN_CHECK = 100  # steps between looks at the losses; on a GPU each look waits for the device


def length(job: Job) -> tuple[int, int]:
    """Return the step at which the training ends, and the steps of an epoch."""
    each = per_epoch(job.splits.train, job.training.batch_size)
    return job.training.length.iterations(each), each


def end(job: Job) -> int:
    """Return the step at which the training ends or pauses. Raises UsageError for one past its end."""
    steps, each = length(job)
    stop = job.training.stop(each, steps)
    if stop > steps:
        raise UsageError(
            f"a training of {steps} iterations cannot pause at iteration {stop} "
            f"(until: {job.training.until}); pause earlier or train longer"
        )
    return stop


def run(model: nn.Module, job: Job, hooks: Hooks, point: Point | None = None) -> Point:
    """Train the network in place and return the last point; `point` continues an interrupted one.

    Raises TicketError, naming the iteration, when the loss is no longer a number; UsageError when
    there is no iteration to train.
    """
    if end(job) <= job.start:
        raise UsageError(
            f"a training of {job.training.until or job.training.length} that starts at iteration "
            f"{job.start} has no iterations; train longer (--steps, --epochs) or rewind to an earlier one"
        )
    device = job.splits.train.labels.device
    with torch_seeded(job.seed, "torch", job.label):
        if point is None:
            point = Point(job.start, moments=dict(job.moments), masks=dict(job.masks))
        if point.random is not None:
            torch.set_rng_state(point.random)
        optimizer = make_optimizer(model, job.training)
        put_moments(optimizer, model, point.moments)
        held = Held(model, point.masks, optimizer) if point.masks else None
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
    training, splits, stop = job.training, job.splits, end(job)
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
    updates = due(job, steps, stop, each)
    measure = measure_of(training, model) if training.metrics else None
    losses: list[Tensor] = []
    began = time.perf_counter() - point.seconds

    def sync() -> None:
        """Bring the point up to date: called before it is saved."""
        point.seconds = time.perf_counter() - began
        point.train_loss += _sum_checked(losses, point.step)
        point.moments = moments_of(optimizer, model)
        point.random = torch.get_rng_state()

    feed = batches(splits, training.batch_size, job.seed, job.label, point.step, training.augment)
    while point.step < stop and not _stopped(training, point):
        inputs, labels = next(feed)
        for group in optimizer.param_groups:
            group["lr"] = rate(point.step)
        for parameter in parameters:  # zero_grad, at a tenth of its cost
            parameter.grad = None
        with precision:
            loss = loss_at(inputs, forward, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        if measure and point.step % every == 0:
            hooks.measured(point.step, measure(point.masks))
        stepping = True
        if point.step in updates:
            clock = Clock(point.step, steps, each)
            change = change_masks(model, job, point, optimizer, updates, clock, stop)
            if change:
                held, stepping = change
                step = held.step
        penalties((point.step - job.start) / (stop - job.start))
        if stepping:
            step()
        point.step += 1
        losses.append(loss.detach())
        if len(losses) >= NAN_CHECK:
            point.train_loss += _sum_checked(losses, point.step)
        if point.step % every == 0 or point.step == stop:
            point.seconds = time.perf_counter() - began
            point.train_loss += _sum_checked(losses, point.step)
            _evaluate(model, job, hooks, point, stop, every)
        hooks.after_step(point, sync)


def _forward(model: nn.Module, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Return the network's forward pass for training: compiled on a GPU, where launches cost most."""
    if device.type != "cuda":
        return model
    compiled: Callable[[Tensor], Tensor] = torch.compile(model)
    return lambda inputs: compiled(inputs.contiguous(memory_format=torch.channels_last))


def _stopped(training: Training, point: Point) -> bool:
    return point.settled or (training.patience is not None and point.stale >= training.patience)


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
    point.settled = job.settled is not None and job.settled(point)


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
