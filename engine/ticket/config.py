"""The resolved configuration of a run: frozen, whole, and named by a hash of what is not default."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from ticket.conflicts import check_trainings
from ticket.errors import TicketError, UsageError
from ticket.phases import Cut, Mark, Rewind, Train
from ticket.recipe import Recipe, read_recipe
from ticket.training import Training, read_training
from ticket.uses import Use, plain, read_use

FIELDS = (
    "model",
    "dataset",
    "training",
    "recipe",
    "seed",
    "weights",
    "start",
    "teacher",
    "toward",
    "sources",
)


@dataclass(frozen=True)
class Config:
    """Hold everything that decides which ticket a run finds.

    `weights` is the SHA-256 of the state that the run starts from instead of a fresh initialisation;
    `start` the SHA-256 of the ticket that a `train` run trains; `teacher` that of the state of a teacher
    given from outside; `toward` that of the masks that a transform's rounds lead to;
    `sources` the SHA-256 of a user's own files, so that a changed network is another run.
    """

    model: Use
    dataset: Use
    training: Training
    recipe: Recipe
    seed: int = 0
    weights: str | None = None
    start: str | None = None
    teacher: str | None = None
    toward: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    def plain(self) -> dict[str, object]:
        """Return the whole configuration in terms of YAML."""
        return {
            "model": self.model.plain(),
            "dataset": self.dataset.plain(),
            "training": self.training.plain(),
            "recipe": self.recipe.plain(),
            "seed": self.seed,
            "weights": self.weights,
            "start": self.start,
            "teacher": self.teacher,
            "toward": self.toward,
            "sources": dict(self.sources),
        }

    def digest(self) -> str:
        """Return 10 hex digits over every field that is not at its default.

        A field that is added later, at its default, changes no run's name.
        """
        document: dict[str, object] = {
            "model": self.model.plain(),
            "dataset": self.dataset.plain(),
            "training": self.training.changed(),
            "recipe": self.recipe.changed(),
            "seed": self.seed,
            "weights": self.weights,
            "start": self.start,
            "teacher": self.teacher,
            "toward": self.toward,
            "sources": dict(self.sources),
        }
        kept = {k: v for k, v in document.items() if v not in (None, 0, {})}
        text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    def run_name(self) -> str:
        """Return the name of the run's folder: model, data set, method, hash."""
        method = "train" if self.start else short(self.recipe.name)
        parts = (short(self.model.name), short(self.dataset.name), method, self.digest())
        return "-".join(parts)


def short(name: str) -> str:
    """Return a plugin's name fit for a folder: of `path/net.py:make`, `make`."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name.rpartition(":")[2])


def read_config(document: Mapping[str, Any]) -> Config:
    """Read a configuration whole.

    Raises UsageError that lists every mistake: unknown fields, plugins and options, types, ranges.
    """
    mistakes = [f"a run has no field '{k}'" for k in document if k not in FIELDS]
    parts: dict[str, Mapping[str, Any]] = {}
    for name in ("training", "recipe", "sources"):
        part = document.get(name) or {}
        if not isinstance(part, Mapping):
            mistakes.append(f"{name} wants fields and their values, got {part!r}")
        parts[name] = part if isinstance(part, Mapping) else {}
    uses = {}
    for kind, name in (("models", "model"), ("datasets", "dataset")):
        try:
            uses[name] = read_use(kind, document.get(name))
        except ValueError as problem:
            mistakes.append(str(problem))
    changes, wrong = read_training(parts["training"], "training")
    recipe, faults = read_recipe(parts["recipe"])
    mistakes += wrong + faults + check_phases(recipe)
    seed = document.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        mistakes.append(f"seed wants a whole number of 0 or more, got {seed!r}")
    refuse(mistakes)
    training = Training(**changes)
    refuse(check_trainings(recipe, training))
    return Config(
        uses["model"],
        uses["dataset"],
        training,
        recipe,
        seed,
        document.get("weights"),
        document.get("start"),
        document.get("teacher"),
        document.get("toward"),
        parts["sources"],
    )


def check_phases(recipe: Recipe) -> list[str]:
    """Return what is wrong with the order of a recipe's phases."""
    owner = f"recipe '{recipe.name}'"
    mistakes = []
    parts = {"first": recipe.first, "round": recipe.round}
    prunes = recipe.sparsity is not None or bool(recipe.rounds)
    for name, part in parts.items():
        cuts = sum(isinstance(phase, Cut) for phase in part)
        if part and cuts != 1:
            what = "a round" if name == "round" else f"`{name}`"
            mistakes.append(f"{owner}: {what} wants exactly one cut, this one has {cuts}")
    if recipe.first and not recipe.round:
        mistakes.append(f"{owner}: `first` is round 0 of many and wants a `round` beside it")
    if recipe.round and not prunes:
        mistakes.append(f"{owner} needs to know when to stop: give --sparsity or --rounds")
    if prunes and not recipe.round:
        mistakes.append(f"{owner} prunes nothing: a sparsity or rounds want a `round`")
    marked = trained = False
    dense = any(isinstance(phase, Train) for phase in recipe.opening())
    for phase in (*recipe.first, *recipe.round):
        if isinstance(phase, Cut) and phase.criterion is None and not marked:
            mistakes.append(f"{owner}: cut needs a mark before it, or a criterion of its own")
        if isinstance(phase, Rewind) and phase.to.amount and not trained:
            mistakes.append(f"{owner}: nothing is trained before the rewind to {phase.to}")
        if isinstance(phase, Rewind) and phase.to.amount and trained and not dense:
            mistakes.append(
                f"{owner}: round 0 trains nothing, so there is no state of {phase.to} to rewind to"
            )
        if isinstance(phase, Rewind) and phase.init is not None and phase.restore != "fresh":
            mistakes.append(
                f"{owner}: a rewind with init '{phase.init.name}' draws weights, so it wants "
                f"restore: fresh, not {phase.restore}"
            )
        # A cut uses the marks up; a rewind forgets them, for they were made for other weights.
        marked = isinstance(phase, Mark) or (marked and not isinstance(phase, Cut | Rewind))
        trained = trained or isinstance(phase, Train)
    if any(not isinstance(phase, Train) for phase in recipe.final):
        mistakes.append(f"{owner}: `final` trains the ticket and holds train phases only")
    elif recipe.round and not recipe.final:
        mistakes.append(f"{owner}: `final` wants a train phase; a ticket is judged by its training")
    return mistakes


def refuse(mistakes: list[str]) -> None:
    """Raise UsageError with all mistakes, if there are any."""
    if len(mistakes) == 1:
        raise UsageError(mistakes[0])
    if mistakes:
        lines = "".join(f"\n  - {m}" for m in mistakes)
        raise UsageError(f"{len(mistakes)} mistakes:{lines}")


def set_field(document: dict[str, Any], path: str, value: object) -> None:
    """Set `a.b.0.c` in a document of mappings and lists, making mappings where names stand alone.

    `recipe.round.2.train.patience` turns the phase `train` into `{train: {patience: ...}}`, and
    `model.hidden` the model's name into `{name: ..., hidden: ...}`. Raises UsageError.
    """
    names = path.split(".")
    if names[0] not in FIELDS or not all(names):
        raise UsageError(f"--set {path}: a path starts with {', '.join(FIELDS[:5])}")
    here: Any = document
    for number, name in enumerate(names):
        last = number == len(names) - 1
        try:
            key: Any = int(name) if isinstance(here, list) else name
            if last:
                here[key] = value
                return
            below = here[key] if isinstance(here, list) else here.setdefault(key, {})
        except (ValueError, IndexError):
            raise UsageError(
                f"--set {path}: '{name}' is not a place in a list of {len(here)} (counted from 0)"
            ) from None
        if isinstance(below, str):
            follows = names[number + 1]
            below = {follows: {}} if below == follows else {"name": below}
        elif below is None:
            below = {}
        elif isinstance(below, tuple):
            below = list(below)
        if not isinstance(below, dict | list):
            raise UsageError(f"--set {path}: '{name}' is a plain value, it has no fields")
        here[key] = below
        here = below


def parse_set(text: str) -> tuple[str, object]:
    """Read `a.b=c`; the value is YAML. Raises UsageError."""
    path, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set wants FIELD=VALUE, got '{text}'")
    try:
        return path.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise UsageError(f"--set {path}: '{value}' is not YAML") from None


def to_yaml(config: Config) -> str:
    """Return the configuration as a YAML document."""
    return yaml.safe_dump(plain(config.plain()), sort_keys=False, width=100)


def from_yaml(text: str, where: str) -> dict[str, Any]:
    """Return the document in a YAML text. Raises TicketError naming `where`."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        raise TicketError(f"{where} is not YAML: {' '.join(str(problem).split())}") from problem
    if not isinstance(document, dict):
        raise TicketError(f"{where} wants the fields {', '.join(FIELDS)}")
    return document
