"""The checks that look at one round's ticket, or at two that follow one another, round after round."""

from __future__ import annotations

from collections.abc import Iterator

from ticket.phases import Cut, Train
from ticket.verifying.counts import recorded_counts, rung_counts, target_count
from ticket.verifying.evidence import Evidence
from ticket.verifying.nesting import held_masks, nested
from ticket.verifying.places import moves_masks
from ticket.verifying.rebuilding import Rebuilt
from ticket.verifying.recomputing import masks
from ticket.verifying.results import Result, tried
from ticket.verifying.schedule import schedule
from ticket.verifying.stored import Stored, read_stored
from ticket.verifying.survivors import survivors
from ticket.verifying.zeros import zeros


def rounds(evidence: Evidence, rebuilt: Rebuilt | None) -> Iterator[Result]:
    """Check every round whose ticket was kept; without `rebuilt`, what the files alone can tell.

    One ticket is held beside the next, so that a large run fits into memory.
    """
    recipe, before = evidence.config.recipe, None
    for number in evidence.rounds:
        stored, subject = evidence.round(number), f"round {number}"
        figures = evidence.figures[number] if number < len(evidence.figures) else None
        yield recorded_counts(stored, figures, subject)
        yield zeros(stored, subject)
        if rebuilt is not None:
            places = schedule(evidence, rebuilt.setting, number, stored)
            yield from tried("schedule", subject, places)
        if number and before is not None:
            if rebuilt is None or not moves_masks(evidence, rebuilt.setting, number - 1):
                yield nested(before, stored, subject)
            yield survivors(evidence, rebuilt, number, stored)
        if number and rebuilt is not None:
            yield from tried("masks", subject, masks(evidence, rebuilt, number, stored))
            if before is not None and number - 1 in evidence.rounds:
                yield _rung(evidence, rebuilt, number, before, stored)
        if rebuilt is not None and not moves_masks(evidence, rebuilt.setting, number):
            yield from _held(evidence, number, stored)
        before = stored
    if (
        evidence.finished
        and recipe.sparsity is not None
        and recipe.round
        and not evidence.config.start
    ):
        yield target_count(recipe, evidence.round(evidence.last), "the ticket")


def _held(evidence: Evidence, number: int, stored: Stored) -> Iterator[Result]:
    """Hold the masks of a round's trainings up to its cut against those of its ticket."""
    for index, phase in enumerate(evidence.phases(number)):
        if isinstance(phase, Cut):
            return
        path = evidence.trained(number, index)
        if isinstance(phase, Train) and path.is_file():
            name = str(path.relative_to(evidence.folder.path))
            yield held_masks(stored, read_stored(path), name)


def _rung(
    evidence: Evidence, rebuilt: Rebuilt, number: int, before: Stored, stored: Stored
) -> Result:
    setting = rebuilt.setting
    return rung_counts(
        evidence.config.recipe,
        setting.layers,
        setting.rungs[number - 1],
        before.kept(),
        stored,
        f"round {number}",
    )
