"""Rewind points checked against the lengths of the trainings, before anything trains."""

from __future__ import annotations

from ticket.batches import per_epoch, validation_size
from ticket.config import Config
from ticket.dataset import DataSet
from ticket.errors import UsageError
from ticket.phases import Train


def check_rewinds(config: Config, data: DataSet) -> None:
    """Raise UsageError when a rewind goes to the end of the training or past it.

    Where patience ends the first training sooner than its length says, the training itself tells.
    """
    examples = range(len(data.train_labels) - validation_size(data))
    each = per_epoch(examples, config.training.batch_size)
    whole = config.training.length.iterations(each)
    opening = next((p for p in config.recipe.opening() if isinstance(p, Train)), Train())
    training = opening.training(config.training)
    first = training.length.iterations(per_epoch(examples, training.batch_size), whole)
    for rewind in config.recipe.rewinds():
        step = rewind.to.iterations(each, whole)
        # The state at a step must be passed; a schedule only has to have something left.
        if step >= whole or (rewind.restore == "weights" and step > first):
            end = whole if step >= whole else first
            raise UsageError(
                f"a rewind to {rewind.to} (iteration {step}) is past the end: the training has "
                f"{end} iterations; rewind to an earlier one or train longer (--steps, --epochs)"
            )
