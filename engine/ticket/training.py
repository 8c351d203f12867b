"""How a network is trained: one frozen record, read from recipes, models, data sets and flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from ticket.steps import Steps
from ticket.uses import PluginOf, Use, plain
from ticket.values import Between, Count, NotNegative, Positive, hints_of, read_fields


@dataclass(frozen=True)
class Training:
    """Describe one training: optimizer, rate and its schedule, length, evaluation, penalties.

    `length` counts the whole training from step 0; one that starts later (after a rewind to 500it)
    ends at the same step. `patience` counts evaluations without a lower validation loss. A training
    that pauses (`until`, or `mask_distance`) is gone on with by the next one: same schedule, same
    moments, unless a rewind comes between.
    """

    optimizer: Annotated[Use, PluginOf("optimizers")] = Use("optimizers", "sgd")
    lr: Positive = 0.1
    weight_decay: NotNegative = 0.0
    decay_prunable: bool = True  # False: the decay spares the prunable weights
    batch_size: Count = 128
    length: Steps = Steps(10, "ep")
    schedule: Annotated[Use, PluginOf("schedules")] = Use("schedules", "constant")
    warmup: Steps = Steps(0, "it")  # linear from 0 to the rate
    eval_every: Steps = Steps(1, "ep")
    patience: Count | None = None
    restore_best: bool = False  # end with the weights of the lowest validation loss
    loss: Annotated[Use, PluginOf("losses")] = Use("losses", "cross_entropy")
    regularizers: tuple[Annotated[Use, PluginOf("regularizers")], ...] = ()
    metrics: tuple[Annotated[Use, PluginOf("metrics")], ...] = ()
    augment: bool = True  # what the data set declares: crop, flip
    precision: Literal["float32", "bfloat16"] = "float32"
    until: Steps | None = None  # pause here; the schedule is that of the whole length
    mask_update: Annotated[Use, PluginOf("mask_updates")] | None = None
    mask_every: Steps = Steps(100, "it")  # between two calls of `mask_update`
    # Pause when the masks that the next mark would leave differ by no more, at an evaluation, from
    # those of the four before it: as a share of the weights (Early-Bird, You et al. 2020).
    mask_distance: Annotated[float, Between(0, 1)] | None = None

    def stop(self, per_epoch: int, whole: int) -> int:
        """Return the step, of `whole`, at which the training ends or pauses.

        Less than 100 % is less than the whole, however short: the next training has a step to do.
        """
        if self.until is None:
            return whole
        step = self.until.iterations(per_epoch, whole)
        part = self.until.unit == "%" and self.until.amount < 100
        return min(step, whole - 1) if part else step

    def plain(self) -> dict[str, object]:
        """Return every field in terms of YAML."""
        return {f.name: plain(getattr(self, f.name)) for f in fields(self)}

    def changed(self) -> dict[str, object]:
        """Return only the fields that are not at their defaults: what the run's hash covers."""
        return {
            f.name: plain(getattr(self, f.name))
            for f in fields(self)
            if getattr(self, f.name) != f.default
        }


def training_schema() -> dict[str, tuple[Any, Any]]:
    """Return the fields of Training as a schema for `values.read_fields`."""
    hints = hints_of(Training)
    return {f.name: (hints[f.name], f.default) for f in fields(Training)}


def read_training(given: Mapping[str, object], owner: str) -> tuple[dict[str, Any], list[str]]:
    """Read some or all fields of a Training; return the values and every mistake."""
    return read_fields(given, training_schema(), owner, "field")
