"""The four phases that a round is made of, as data: train, mark, cut, rewind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal

from ticket.steps import Steps
from ticket.training import Training, read_training
from ticket.uses import PluginOf, Use, plain
from ticket.values import Count, closest, hints_of, read_fields


@dataclass(frozen=True)
class Train:
    """Train with the task's training, changed by `changes` (fields of Training)."""

    changes: Mapping[str, Any] = field(default_factory=dict)

    def training(self, task: Training) -> Training:
        """Return the training of this phase."""
        return replace(task, **self.changes)


@dataclass(frozen=True)
class Mark:
    """Score the survivors and select the doomed: those that the next cut removes.

    In `steps` steps, each of which scores what the one before left; `pace` says how much is left after
    step i of n on the way from K to k weights: K (k/K)^(i/n), or `linear`, as many in each step.
    """

    criterion: Annotated[Use, PluginOf("criteria")] = Use("criteria", "magnitude")
    steps: Count = 1
    pace: Literal["exponential", "linear"] = "exponential"


@dataclass(frozen=True)
class Cut:
    """Remove weights: the doomed, or, with a criterion, as many chosen anew (the overlap is recorded)."""

    criterion: Annotated[Use, PluginOf("criteria")] | None = None


@dataclass(frozen=True)
class Rewind:
    """Return the survivors to an earlier state.

    `restore`: `weights` (with every buffer) of step `to`, and training goes on from there in the
    schedule; `rate` keeps the weights and rewinds the schedule alone (Renda et al. 2020); `fresh` draws
    new initial weights (the reinit control), by the model or, with an `init`, for the masks.
    `optimizer`: moments start `fresh`, or are `rewound` too.
    """

    to: Steps = Steps(0, "it")
    restore: Literal["weights", "rate", "fresh"] = "weights"
    optimizer: Literal["fresh", "rewound"] = "fresh"
    init: Annotated[Use, PluginOf("inits")] | None = None


Phase = Train | Mark | Cut | Rewind
KINDS: dict[str, type[Mark] | type[Cut] | type[Rewind]] = {
    "mark": Mark,
    "cut": Cut,
    "rewind": Rewind,
}


def kind_of(phase: Phase) -> str:
    """Return the word for a phase: train, mark, cut or rewind."""
    return type(phase).__name__.lower()


def read_phase(given: object, owner: str) -> tuple[Phase | None, list[str]]:
    """Read `train`, or `{train: {patience: 5}}`; return the phase and every mistake."""
    word: object = given
    options: object = {}
    if isinstance(given, Mapping) and len(given) == 1:
        word, options = next(iter(given.items()))
        options = {} if options is None else options
    if word not in ("train", *KINDS):
        hint = closest(str(word), ["train", *KINDS]) or "; there are: train, mark, cut, rewind"
        return None, [f"{owner}: no phase {word!r}{hint}"]
    if not isinstance(options, Mapping):
        return None, [f"{owner}, {word} wants fields and their values, got {options!r}"]
    if word == "train":
        changes, mistakes = read_training(options, f"{owner}, train")
        return Train(changes), mistakes
    phase = KINDS[str(word)]
    hints = hints_of(phase)
    schema = {f.name: (hints[f.name], f.default) for f in fields(phase)}
    values, mistakes = read_fields(options, schema, f"{owner}, {word}", "field")
    return phase(**values), mistakes


def plain_phase(phase: Phase) -> object:
    """Return a phase as a recipe writes it, fields at their defaults left out."""
    if isinstance(phase, Train):
        options = {k: plain(v) for k, v in phase.changes.items()}
    else:
        options = {
            f.name: plain(getattr(phase, f.name))
            for f in fields(phase)
            if getattr(phase, f.name) != f.default
        }
    return {kind_of(phase): options} if options else kind_of(phase)
