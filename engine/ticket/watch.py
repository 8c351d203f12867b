"""What a run tells the outside, and how the outside stops it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ticket.errors import Interrupted

CONTINUE = "interrupted; the same command continues"
CHECKPOINT_SECONDS = 20.0  # at most this much work is lost to a kill


@dataclass(frozen=True)
class Progress:
    """Tell how far a run is.

    `kind`: `step` now and then in a training, `evaluated`, `phase`, `done`; of a verification `checked`,
    with the claim as `phase` and what it was checked of as `text`.
    """

    kind: str
    seed: int
    round: int
    rounds: int
    phase: str
    step: int = 0
    steps: int = 0
    train_loss: float | None = None
    loss: float | None = None
    accuracy: float | None = None
    density: float = 1.0
    text: str = ""
    control: str = ""  # `reinit at round 7`, while a control trains


Report = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Tell nobody."""


class Stop:
    """Remember that the user asked to stop; a training looks at it after every step."""

    def __init__(self) -> None:
        self.asked = False


GRACE_SECONDS = 1.0  # for a step to end and its checkpoint to be written


@contextmanager
def interruptible() -> Iterator[Stop]:
    """Turn the first SIGINT or SIGTERM into a request to stop at the next step.

    What takes longer than a second (a large evaluation, reading data) is left where it is: files are
    whole at all times, so it costs at most the work since the last checkpoint. Outside the main thread
    signals cannot be caught, and nothing is changed. Raises Interrupted.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: object) -> None:
        if stop.asked:
            raise Interrupted(CONTINUE)
        stop.asked = True
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)

    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = {kind: signal.signal(kind, ask) for kind in kinds}
    try:
        yield stop
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for kind, handler in before.items():
            signal.signal(kind, handler)
