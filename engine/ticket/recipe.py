"""A recipe: a method as data. It names phases, plugins and numbers, and cites its paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml

from ticket.errors import TicketError, UsageError
from ticket.phases import Phase, Rewind, plain_phase, read_phase
from ticket.registry import named
from ticket.uses import PluginOf, Use, plain
from ticket.values import Between, Share, hints_of, read_fields

Rounds = Annotated[int, Between(0, 1000)]
_PHASES = ("first", "round", "final")
_PROSE = ("title", "paper", "notes")  # said to the reader, not part of the method


@dataclass(frozen=True)
class Recipe:
    """Describe how a ticket is found: what one round is, how many there are, how much each removes.

    Of `rounds`, `rate` and `sparsity` two decide the third. `rates: model` uses the per-layer rates that
    a model declares (LeNet: 20/20/10), `rate` where it declares none.
    """

    name: str
    title: str = ""
    paper: str = ""
    notes: str = ""
    rounds: Rounds | None = None
    sparsity: Share | None = None
    rate: Share | None = 0.2
    rates: Literal["model", "same"] = "same"
    scope: Annotated[Use, PluginOf("scopes")] = Use("scopes", "global")
    basis: Annotated[Use, PluginOf("bases")] = Use("bases", "canonical")  # what sparsity is about
    exclude: tuple[str, ...] = ()  # parameters never pruned, as patterns; they count as dense
    allow_empty_layers: bool = False
    training: Mapping[str, Any] = field(default_factory=dict)  # changes to the task's training
    first: tuple[Phase, ...] = ()  # round 0, where it differs from the rounds after it
    round: tuple[Phase, ...] = ()
    final: tuple[Phase, ...] = ()

    def plain(self) -> dict[str, object]:
        """Return every field in terms of YAML."""
        document: dict[str, object] = {
            f.name: plain(getattr(self, f.name)) for f in fields(self) if f.name not in _PHASES
        }
        return document | {n: [plain_phase(p) for p in getattr(self, n)] for n in _PHASES}

    def changed(self) -> dict[str, object]:
        """Return what makes the method: fields not at their defaults, without the prose."""
        document = self.plain()
        return {
            f.name: document[f.name]
            for f in fields(self)
            if f.name not in _PROSE and getattr(self, f.name) not in (f.default, {})
        }

    def phases(self, number: int, rounds: int) -> tuple[Phase, ...]:
        """Return the phases of round `number` of a run that cuts `rounds` times."""
        if number == rounds:
            return self.final
        return self.first if self.first and number == 0 else self.round

    def all_phases(self) -> tuple[Phase, ...]:
        """Return every phase that the recipe names."""
        return (*self.first, *self.round, *self.final)

    def opening(self) -> tuple[Phase, ...]:
        """Return the phases that a run begins with: those of the dense network."""
        return self.first or self.round or self.final

    def rewinds(self) -> list[Rewind]:
        """List the rewind phases of all rounds."""
        return [p for p in (*self.first, *self.round) if isinstance(p, Rewind)]


def recipe_document(method: str) -> dict[str, Any]:
    """Return the YAML document of a registered recipe or of a file, its name filled in.

    Raises UsageError for an unknown recipe or a missing file, TicketError for a file that is no YAML.
    """
    if method.endswith((".yaml", ".yml")) or "/" in method:
        path = Path(method)
        if not path.is_file():
            raise UsageError(f"no recipe file {path}")
        name, text = path.stem, path.read_text(encoding="utf-8")
    else:
        plugin, _ = named("recipes", method)
        name, file = method, f"{method}.yaml"
        try:
            text = resources.files(plugin.target).joinpath(file).read_text(encoding="utf-8")
        except (ImportError, OSError) as problem:
            raise TicketError(f"recipe '{method}' from {plugin} is broken: {problem}") from problem
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        raise TicketError(
            f"recipe '{method}' is not YAML: {' '.join(str(problem).split())}"
        ) from problem
    if not isinstance(document, dict):
        raise TicketError(
            f"recipe '{method}' wants fields such as `round:` and `rate:`, not a plain value"
        )
    return {"name": name, **document}


def read_recipe(document: Mapping[str, object]) -> tuple[Recipe, list[str]]:
    """Read a recipe whole; return it and every mistake, so that all are told at once."""
    owner = f"recipe '{document.get('name', '?')}'"
    hints = hints_of(Recipe)
    schema = {
        f.name: (hints[f.name], ... if f.name == "name" else f.default)
        for f in fields(Recipe)
        if f.name not in _PHASES
    }
    schema["training"] = (Mapping, {})
    given = {k: v for k, v in document.items() if k not in _PHASES}
    values, mistakes = read_fields(given, schema, owner, "field")
    for part in _PHASES:
        phases = []
        listed = document.get(part) or []
        if not isinstance(listed, list | tuple):
            mistakes.append(f"{owner}: {part} wants a list of phases, got {listed!r}")
            continue
        for number, item in enumerate(listed):
            phase, wrong = read_phase(item, f"{owner}, {part} {number + 1}")
            mistakes += wrong
            phases += [phase] if phase is not None else []
        values[part] = tuple(phases)
    values.setdefault("name", "?")
    if not mistakes and not values["round"] and not values["final"]:
        mistakes.append(f"{owner} has no phases: give `round`, `final` or both")
    return Recipe(**values), mistakes
