"""Plugins: functions that packages offer through entry points, found by kind and name.

`installed` reads package metadata and imports nothing; `load` imports one plugin. A plugin that is
broken, misspelt or offered twice fails when it is asked for, and nothing else does.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from ticket.errors import TicketError, UsageError
from ticket.values import closest

KINDS = {
    "criteria": "criterion",
    "scopes": "scope",
    "regularizers": "regularizer",
    "mask_updates": "mask update",
    "optimizers": "optimizer",
    "schedules": "schedule",
    "losses": "loss",
    "bases": "basis",
    "inits": "initialisation",
    "metrics": "metric",
    "transforms": "transform",
    "recipes": "recipe",
    "models": "model",
    "datasets": "data set",
    "downloads": "download",
    "exporters": "exporter",
}


@dataclass(frozen=True)
class Plugin:
    """Name one offered plugin and the package that offers it."""

    kind: str
    name: str  # may hold a placeholder for an option: `resnet{depth}`
    target: str  # module:function
    package: str
    version: str

    def __str__(self) -> str:
        return f"{self.package} {self.version} ({self.target})"


@dataclass(frozen=True)
class Found:
    """Pair a loaded plugin with the options that its name gave (`resnet20` -> depth 20)."""

    function: Callable[..., Any]
    options: dict[str, str] = field(default_factory=dict)


def installed(kind: str) -> list[Plugin]:
    """List the plugins of a kind, sorted by name, importing none of them."""
    return list(_installed(kind, tuple(sys.path)))


@functools.cache
def _installed(kind: str, path: tuple[str, ...]) -> tuple[Plugin, ...]:
    """Read the metadata once for a search path: a run looks plugins up many times."""
    offered = (_plugin(kind, e) for e in entry_points(group=f"ticket.{kind}"))
    return tuple(sorted(offered, key=lambda p: (p.name, p.package)))


def _plugin(kind: str, entry: EntryPoint) -> Plugin:
    package, version = (entry.dist.name, entry.dist.version) if entry.dist else ("unknown", "?")
    return Plugin(kind, entry.name, entry.value, package, version)


def named(kind: str, name: str) -> tuple[Plugin, dict[str, str]]:
    """Return the one plugin of that name and the options in the name.

    Raises UsageError for an unknown name (the closest is offered) and TicketError when several
    packages offer the same name.
    """
    plugins = installed(kind)
    exact = [p for p in plugins if p.name == name]
    matches: list[tuple[Plugin, dict[str, str]]] = [(p, {}) for p in exact]
    if not exact:
        matches = [(p, m) for p in plugins if (m := _match(p.name, name)) is not None]
    if not matches:
        what = KINDS[kind]
        names = [p.name for p in plugins]
        hint = closest(name, _examples(names, name)) or f"; there are: {', '.join(names) or 'none'}"
        raise UsageError(f"no {what} named '{name}'{hint}")
    if len(matches) > 1:
        offers = ", ".join(str(p) for p, _ in matches)
        raise TicketError(
            f"several {KINDS[kind]} plugins are named '{name}': {offers}; uninstall all but one"
        )
    return matches[0]


def _match(pattern: str, name: str) -> dict[str, str] | None:
    """Match `resnet20` against `resnet{depth}`."""
    if "{" not in pattern:
        return None
    parts = re.split(r"\{(\w+)\}", pattern)
    regex = "".join(re.escape(p) if i % 2 == 0 else rf"(?P<{p}>\d+)" for i, p in enumerate(parts))
    match = re.fullmatch(regex, name)
    return match.groupdict() if match else None


def _examples(names: list[str], asked: str) -> list[str]:
    """Fill placeholders with the number that was asked for, so that `resent20` finds `resnet20`."""
    number = "".join(re.findall(r"\d+", asked)[-1:])
    return [re.sub(r"\{\w+\}", number, n) for n in names]


def load(kind: str, name: str) -> Found:
    """Import the plugin `name`: a registered one, `path/file.py:function` or `package.module:function`.

    Raises UsageError for an unknown name and TicketError, with package and module, for a broken plugin.
    """
    if ":" in name:
        return Found(_own(kind, name))
    plugin, options = named(kind, name)
    try:
        module, _, attribute = plugin.target.partition(":")
        function = importlib.import_module(module)
        for part in attribute.split("."):
            function = getattr(function, part)
    except Exception as problem:  # whatever a foreign package raises, the line names the package
        raise TicketError(
            f"{KINDS[kind]} '{name}' from {plugin} is broken: {problem!r}"
        ) from problem
    if not callable(function):
        raise TicketError(f"{KINDS[kind]} '{name}' from {plugin} is broken: it is not a function")
    return Found(function, options)


def _own(kind: str, name: str) -> Callable[..., Any]:
    """Import a user's own function."""
    place, _, attribute = name.rpartition(":")
    try:
        module = _file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
        function: Callable[..., Any] | None = getattr(module, attribute, None)
    except Exception as problem:  # the user's code may raise anything
        raise TicketError(f"{KINDS[kind]} '{name}' cannot be imported: {problem!r}") from problem
    if not callable(function):
        names = [n for n in vars(module) if callable(vars(module)[n])]
        raise UsageError(f"{place} has no function '{attribute}'{closest(attribute, names)}")
    return function


def _file(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    name = f"ticket_user_{path.stem}"  # a name of its own: a user's `json.py` must not hide another
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module
