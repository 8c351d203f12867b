"""Parts of a recipe that are right alone and wrong together."""

from __future__ import annotations

from collections.abc import Iterator

from ticket.phases import Cut, Mark, Phase, Rewind, Train
from ticket.recipe import Recipe
from ticket.training import Training


def check_trainings(recipe: Recipe, task: Training) -> list[str]:
    """Return what is wrong with the trainings of a recipe: pauses, and masks that change inside them."""
    mistakes: list[str] = []
    parts = {"first": recipe.first, "round": recipe.round, "final": recipe.final}
    for name, phases in parts.items():
        for number, phase in enumerate(phases):
            if isinstance(phase, Train):
                owner = f"recipe '{recipe.name}', {name} {number + 1}, train"
                after = phases[number + 1 :]
                faults = _faults(phase.training(task), recipe, name, after)
                mistakes += [f"{owner}: {fault}" for fault in faults]
    return mistakes


def _faults(
    training: Training, recipe: Recipe, part: str, after: tuple[Phase, ...]
) -> Iterator[str]:
    if training.mask_update is not None:
        update = training.mask_update.name
        if training.patience is not None:
            yield f"{update} follows a schedule that a patience would cut short; leave one out"
        if training.restore_best:
            yield f"restore_best would bring back weights that {update} has dropped; leave one out"
        if training.mask_distance is not None:
            yield f"mask_distance compares masks that a cut would leave, {update} changes them; leave one out"
    if training.mask_distance is not None and not any(_chooses(phase) for phase in after):
        yield "mask_distance looks at the masks of the mark that follows, and none follows"
    pauses = training.until is not None
    if pauses and part == "final" and not any(isinstance(phase, Train) for phase in after):
        yield f"it pauses (until: {training.until}) and nothing goes on with it; leave out until"
    goes_on = not any(isinstance(phase, Train | Rewind) for phase in after)
    if pauses and part == "round" and recipe.rounds != 1 and goes_on:
        yield (
            f"it pauses (until: {training.until}), so a second round would have nothing left to train; "
            "give rounds: 1, or rewind at the end of a round"
        )


def _chooses(phase: Phase) -> bool:
    return isinstance(phase, Mark) or (isinstance(phase, Cut) and phase.criterion is not None)
