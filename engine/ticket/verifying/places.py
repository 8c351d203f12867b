"""Where in its schedule each training of a round begins, by the phases and by what was recorded."""

from __future__ import annotations

from ticket.batches import per_epoch
from ticket.phases import Rewind, Train
from ticket.round import resolved
from ticket.setting import Setting
from ticket.training import Training
from ticket.verifying.evidence import Evidence


def places(
    evidence: Evidence, setting: Setting, number: int, begin: int
) -> tuple[list[tuple[int, Train, int]], int]:
    """Return (index, phase, first iteration) of each training of a round, and where the next one begins.

    `begin` is the iteration that the round was opened at.
    """
    each = per_epoch(setting.splits.train, setting.training.batch_size)
    whole = setting.training.length.iterations(each)
    found = []
    for index, phase in enumerate(evidence.phases(number)):
        if isinstance(phase, Rewind):
            begin = phase.to.iterations(each, whole)
        elif isinstance(phase, Train):
            found.append((index, phase, begin))
            begin = _handed_on(evidence, setting, number, index, phase)
    return found, begin


def goes_on(evidence: Evidence, setting: Setting, number: int) -> bool:
    """Tell whether a round goes on with a training that paused in the round before it.

    The optimizer's moments are handed on then, and no file keeps them.
    """
    if number == 0:
        return False
    phases = evidence.phases(number - 1)
    last = max((i for i, p in enumerate(phases) if isinstance(p, Train | Rewind)), default=-1)
    phase = phases[last] if last >= 0 else None
    return isinstance(phase, Train) and bool(_handed_on(evidence, setting, number - 1, last, phase))


def may_pause(training: Training) -> bool:
    """Tell whether a training may end before its length, for the next one to go on."""
    told = training.plain()
    return told.get("until") is not None or told.get("mask_distance") is not None


def moves_masks(evidence: Evidence, setting: Setting, number: int) -> bool:
    """Tell whether a training of the round changes masks itself."""
    trains = [p for p in evidence.phases(number) if isinstance(p, Train)]
    return any(resolved(p, setting).plain().get("mask_update") is not None for p in trains)


def _handed_on(evidence: Evidence, setting: Setting, number: int, index: int, phase: Train) -> int:
    """Return where the training after this one begins: at 0, or where this one has paused."""
    training = resolved(phase, setting)
    whole = training.length.iterations(per_epoch(setting.splits.train, training.batch_size))
    told = evidence.figures[number]["trainings"] if number < len(evidence.figures) else []
    ends = [t["end"]["iteration"] for t in told if t["phase"] == f"{index}-train"]
    return int(ends[0]) if ends and ends[0] < whole and may_pause(training) else 0
