"""One training: what does not change during it, where it is, and who looks on.

All that a training is at a step lies in `Point`, with the network's weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from ticket.batches import Splits
from ticket.evaluation import Score
from ticket.selection import Aim
from ticket.training import Training


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
    masks: dict[str, Tensor] = field(default_factory=dict)  # a mask update changes them
    explored: dict[str, Tensor] = field(default_factory=dict)  # True = has been kept at some time
    memory: dict[str, Tensor] = field(default_factory=dict)  # what plugins want to find again
    updates: int = 0  # of the masks
    settled: bool = False  # the masks that the next mark would leave have stopped changing


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
    aim: Aim | None = None  # what the round's cut keeps, for a mask update
    settled: Callable[[Point], bool] | None = None  # asked at each evaluation
    teacher: nn.Module | None = None  # for a loss that learns from one
