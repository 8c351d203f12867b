"""Estimates for `--dry-run`: time by measuring a few steps, disk by counting bytes."""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from torch import nn

from ticket.batches import per_epoch
from ticket.evaluation import evaluate
from ticket.job import Hooks, Job
from ticket.network import state_of
from ticket.phases import Rewind, Train
from ticket.request import Prepared
from ticket.steps import Steps
from ticket.training import Training
from ticket.training_loop import run

WARM, TIMED = 5, 20  # steps


def run_seconds(prepared: Prepared, rounds: int, threads: int) -> float:
    """Estimate the seconds of a whole run, controls left out; a training with patience counts whole."""
    config, splits = prepared.config, prepared.task.splits(prepared.config.seed)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        network = prepared.task.network(config.seed, "init")
        step = _step_seconds(network, prepared)
        began = time.perf_counter()
        evaluate(network, splits.validation)
        evaluation = time.perf_counter() - began
        ratio = (len(splits.test) + len(splits.train)) / len(splits.validation)
    finally:
        torch.set_num_threads(before)
    total, start = 0.0, 0
    for number in range(rounds + 1):
        for phase in config.recipe.phases(number, rounds):
            if isinstance(phase, Rewind):
                start = 0
            if isinstance(phase, Train):
                training = phase.training(config.training)
                each = per_epoch(splits.train, training.batch_size)
                whole = config.training.length.iterations(each)
                length = training.length.iterations(each, whole)
                stop = training.stop(each, length)
                steps, start = stop - start, stop if training.until else 0
                evaluations = steps / max(1, training.eval_every.iterations(each, length))
                total += steps * step + (evaluations + 2 * ratio) * evaluation
    return total


def _step_seconds(network: nn.Module, prepared: Prepared) -> float:
    """Time a step of the plain training: no evaluation, no penalty."""
    marks: list[float] = []

    def after_step(point: object, sync: object) -> None:
        marks.append(time.perf_counter())

    training = replace(
        prepared.config.training,
        length=Steps(
            WARM + TIMED + 1, "it"
        ),  # the last step is not timed: an evaluation follows it
        eval_every=Steps(WARM + TIMED + 1, "it"),
        warmup=Steps(0, "it"),
        patience=None,
        regularizers=(),
        until=None,
        mask_update=None,
        mask_distance=None,
        metrics=(),
        loss=Training().loss,  # a teacher's forward pass is not counted
    )
    seed = prepared.config.seed
    job = Job(training, prepared.task.splits(seed), seed, "estimate")
    run(network, job, Hooks(after_step, lambda evaluated: None))
    return (marks[-2] - marks[WARM - 1]) / TIMED


def disk_bytes(network: nn.Module, rounds: int, keep: str) -> int:
    """Count the bytes a run leaves: tickets of the rounds, the ticket, the trained ticket."""
    state = sum(t.numel() * t.element_size() for t in state_of(network).values())
    extra = {"last": min(rounds, 1) + 1, "tickets": rounds + 2, "all": 2 * (rounds + 1)}
    tickets = 2 + extra[keep]
    return tickets * state
