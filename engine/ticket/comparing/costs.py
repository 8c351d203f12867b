"""What trainings cost, on equal terms: iterations, epochs, multiply-adds, seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from ticket.batches import per_epoch
from ticket.comparing.recipes import phases_of
from ticket.work import FORWARD_AND_BACKWARD

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Cost:
    """Hold what training took; None where nothing tells it.

    `multiply_adds`: of the prunable layers, forward and backward, masked weights left out; `epochs`: of
    the training set.
    """

    iterations: float | None = None
    epochs: float | None = None
    multiply_adds: float | None = None
    seconds: float | None = None

    def plus(self, other: Cost) -> Cost:
        """Add two costs; what one of them does not know stays unknown."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(Cost))
        return Cost(*(None if a is None or b is None else a + b for a, b in pairs))


UNKNOWN = Cost()
NOTHING = Cost(0.0, 0.0, 0.0, 0.0)


def cost_of_rounds(figures: Document, numbers: Sequence[int]) -> Cost:
    """Add up the cost of some rounds of a finished run, by its figures.json."""
    total = NOTHING
    for number in numbers:
        total = total.plus(_round(figures, number))
    return total


def _round(figures: Document, number: int) -> Cost:
    told = figures["rounds"][number]
    total = NOTHING
    for which in range(len(told["trainings"])):
        total = total.plus(cost_of_training(figures, number, which))
    seconds = float(sum(told["seconds"].values())) if "seconds" in told else None
    return replace(total, seconds=seconds)


def cost_of_training(figures: Document, number: int, which: int) -> Cost:
    """Return the cost of one training of a round."""
    told = figures["rounds"][number]
    training, work = told["trainings"][which], figures.get("work")
    seconds = told.get("seconds", {}).get(training.get("phase"))
    if work is None:  # of a run that was made before its work was written down
        return Cost(float(training["iterations"]), seconds=seconds)
    used = sum(
        uses * told["layers"].get(name, work["weights"][name])
        for name, uses in work["uses"].items()
    )
    size = batch_size(figures, number, training)
    epochs = training["iterations"] / per_epoch(range(work["examples"]), size)
    adds = FORWARD_AND_BACKWARD * used * epochs * work["examples"]
    return Cost(float(training["iterations"]), epochs, adds, seconds)


def batch_size(figures: Document, number: int, training: Document) -> int:
    """Return the batch size of a training: its phase's, else the run's."""
    config = figures["config"]
    phases = phases_of(config, number, len(figures["rounds"]) - 1)
    index = int(str(training["phase"]).partition("-")[0])
    phase = phases[index] if index < len(phases) else "train"
    changes = phase.get("train") if isinstance(phase, Mapping) else None
    size = (changes or {}).get("batch_size", config["training"]["batch_size"])
    return int(size)
