"""How long a run still takes, from how long its parts have taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ticket.watch import Progress


@dataclass
class Pace:
    """Remember when the current round and phase began, and how long the last whole round took."""

    round: tuple[str, int] = ("", -1)  # control, number
    phase: str = ""
    round_began: float = 0.0
    phase_began: float = 0.0
    first_step: int = 0
    round_seconds: float | None = None

    def left(self, p: Progress, now: float) -> float | None:
        """Return the seconds left at time `now`, or None while nothing is known.

        The rest of this phase at its own speed, then every further round as long as the last one. A
        patience may end a training sooner.
        """
        if (p.control, p.round) != self.round:
            follows = p.round > 0 and (p.control, p.round - 1) == self.round
            self.round_seconds = now - self.round_began if follows else None
            self.round, self.round_began, self.phase = (p.control, p.round), now, ""
        if p.phase != self.phase:
            self.phase, self.phase_began, self.first_step = p.phase, now, p.step
        if p.step == self.first_step:
            return None
        phase = (p.steps - p.step) * (now - self.phase_began) / (p.step - self.first_step)
        whole = self.round_seconds or now - self.round_began + phase
        return phase + (p.rounds - p.round) * whole


def clock(seconds: float) -> str:
    """Return a duration as `42 s`, `3:05` or `1:02:03`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
