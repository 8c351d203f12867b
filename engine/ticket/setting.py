"""What all phases of a run share, and what a phase shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ticket.batches import Splits
from ticket.evaluation import Score
from ticket.ladder import Layer, Rung
from ticket.recipe import Recipe
from ticket.task import Task
from ticket.training import Training


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


def pair(name: str, score: Score) -> dict[str, float]:
    """Spell a score as figures of `name`."""
    return {f"{name}_loss": score.loss, f"{name}_accuracy": score.accuracy}
