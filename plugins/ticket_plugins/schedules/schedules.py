"""Schedules: the factor on the learning rate at a step of the whole training."""

from __future__ import annotations

import math
from typing import Annotated

from ticket.schedule import Clock
from ticket.steps import Steps
from ticket.values import Between, Positive


def constant(clock: Clock) -> float:
    """Keep the rate."""
    return 1.0


def multistep(
    clock: Clock,
    *,
    milestones: tuple[Steps, ...] = (Steps(50, "%"), Steps(75, "%")),
    gamma: Positive = 0.1,
) -> float:
    """Multiply the rate by `gamma` at each milestone."""
    return float(gamma) ** sum(clock.step >= clock.at(milestone) for milestone in milestones)


def cosine(clock: Clock, *, floor: Annotated[float, Between(0, 1)] = 0.0) -> float:
    """Follow half a cosine from 1 down to `floor` (Loshchilov & Hutter 2017, without restarts)."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * clock.step / max(clock.steps, 1)))
