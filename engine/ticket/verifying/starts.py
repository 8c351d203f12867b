"""Where the state that a round starts from must come from, by the phases of the round before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ticket.phases import Phase, Rewind, Train
from ticket.steps import Steps

Source = Literal["opened", "trained", "step", "fresh"]


@dataclass(frozen=True)
class Start:
    """Say what the weights are: as the round `opened` with, `trained` by a phase, of a `step`, `fresh`.

    `to` is where the schedule goes on from; `optimizer` whether its moments come back with it.
    """

    source: Source
    phase: int = 0
    weights: Steps = Steps(0, "it")
    to: Steps = Steps(0, "it")
    optimizer: Literal["fresh", "rewound"] = "fresh"


def start_after(phases: Sequence[Phase]) -> Start:
    """Return where the state comes from once these phases are carried out."""
    start = Start("opened")
    for number, phase in enumerate(phases):
        if isinstance(phase, Train):
            start = Start("trained", number)
        elif isinstance(phase, Rewind):
            source, weights = start.source, start.weights
            if phase.restore == "weights":
                source, weights = "step", phase.to
            elif phase.restore == "fresh":
                source = "fresh"
            start = Start(source, start.phase, weights, phase.to, phase.optimizer)
    return start
