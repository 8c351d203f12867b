"""The learning rate at a step: a schedule plugin's factor and the warm-up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ticket.steps import Steps
from ticket.training import Training
from ticket.uses import bind


@dataclass(frozen=True)
class Clock:
    """Tell the time of a training: the step, all steps, and the steps of an epoch."""

    step: int
    steps: int
    per_epoch: int

    def at(self, steps: Steps) -> int:
        """Convert a length to iterations of this training."""
        return steps.iterations(self.per_epoch, self.steps)


class Schedule(Protocol):
    """Give the factor on the learning rate (group `ticket.schedules`); options are keyword-only."""

    def __call__(self, clock: Clock) -> float: ...


def rate_at(training: Training, steps: int, per_epoch: int) -> Callable[[int], float]:
    """Return the learning rate as a function of the step."""
    schedule: Schedule = bind(training.schedule)
    warmup = training.warmup.iterations(per_epoch, steps)

    def rate(step: int) -> float:
        factor = min(1.0, (step + 1) / (warmup + 1)) if warmup else 1.0
        return float(training.lr * factor * schedule(Clock(step, steps, per_epoch)))

    return rate
