"""Uses of plugins: a name and options, as recipes, configurations and flags write them.

criterion: magnitude
regularizers: [{name: growing_l2, shape: cubic, ceiling: 1e2}]
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ticket.errors import TicketError, UsageError
from ticket.registry import KINDS, load
from ticket.values import SpokenError, options_of, read_fields


@dataclass(frozen=True)
class Use:
    """Name a plugin of a kind, with the options it is called with (those at their defaults left out)."""

    kind: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def plain(self) -> object:
        """Return the short form: the name alone, or a mapping of name and options."""
        if not self.options:
            return self.name
        return {"name": self.name, **{k: plain(v) for k, v in self.options.items()}}


@dataclass(frozen=True)
class PluginOf:
    """Annotate a field that uses a plugin of this kind; the options are checked as it is read."""

    kind: str

    def read(self, value: object) -> Use:
        """Return the Use that `name` or `{name: ..., option: ...}` means."""
        return read_use(self.kind, value)


def read_use(kind: str, value: object) -> Use:
    """Read a use and check plugin and options; raises SpokenError with every mistake."""
    if isinstance(value, Use):
        return value
    given = {"name": value} if isinstance(value, str) else value
    if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
        raise ValueError(f"wants a {KINDS[kind]}: a name, or name and options, got {value!r}")
    name = str(given["name"])
    try:
        found = load(kind, name)
    except TicketError as problem:
        raise SpokenError(str(problem)) from problem
    try:
        schema = options_of(found.function)
    except (NameError, TypeError, ValueError) as problem:  # an annotation that nothing imports, say
        raise SpokenError(
            f"{KINDS[kind]} '{name}' has options that cannot be read: {problem}"
        ) from problem
    asked = {k: v for k, v in given.items() if k != "name"}
    if twice := asked.keys() & found.options.keys():
        option = min(twice)
        raise SpokenError(
            f"{KINDS[kind]} '{name}' says {option} {found.options[option]} by its name, "
            f"and {option} {asked[option]} is given; leave one out"
        )
    options, mistakes = read_fields(
        {**asked, **found.options},
        schema,
        f"{KINDS[kind]} '{name}'",
        "option",
    )
    if mistakes:
        raise SpokenError("; ".join(mistakes))
    kept = {k: v for k, v in options.items() if v != schema[k][1] and k not in found.options}
    return Use(kind, name, kept)


def asked_use(kind: str, value: object) -> Use:
    """Read the use that somebody asks for; raises UsageError with every mistake."""
    try:
        return read_use(kind, value)
    except ValueError as problem:
        raise UsageError(str(problem)) from problem


def bind(use: Use) -> Callable[..., Any]:
    """Return the plugin's function with the options of this use filled in."""
    found = load(use.kind, use.name)
    schema = options_of(found.function)
    values, _ = read_fields({**use.options, **found.options}, schema, use.name, "option")
    return functools.partial(found.function, **values)


def plain(value: object) -> object:
    """Return `value` in terms that YAML and JSON know."""
    if isinstance(value, Use):
        return value.plain()
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
