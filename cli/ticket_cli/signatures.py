"""What a plugin does and which options it takes, read from its source without an import."""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ticket.registry import Plugin


@dataclass(frozen=True)
class Signature:
    """Hold the first sentence on a plugin, and its options with their defaults."""

    summary: str
    options: str


def signature_of(plugin: Plugin) -> Signature | None:
    """Return the signature, or None when the source does not show it (a compiled function)."""
    module, _, attribute = plugin.target.partition(":")
    try:
        spec = _find(module)
        if spec is None:
            return None
        if plugin.kind == "recipes":
            place = Path((spec.submodule_search_locations or [""])[0]) / f"{plugin.name}.yaml"
            return Signature(_title(place), "")
        tree = ast.parse(Path(spec.origin or "").read_text(encoding="utf-8"))
    except (OSError, ImportError, SyntaxError, ValueError):
        return None
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == attribute:
            return Signature(_summary(node), _options(node, plugin.name))
    return None


def _find(name: str) -> ModuleSpec | None:
    """Find a module as an import would, but without running the packages that hold it."""
    path, spec = None, None
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        full = ".".join(parts[:depth])
        found = (finder.find_spec(full, path) for finder in sys.meta_path)
        spec = next((one for one in found if one is not None), None)
        if spec is None:
            return None
        path = spec.submodule_search_locations
    return spec


def _title(place: Path) -> str:
    import yaml

    document = yaml.safe_load(place.read_text(encoding="utf-8"))
    return str(document.get("title", "")) if isinstance(document, dict) else ""


def _summary(node: ast.FunctionDef) -> str:
    text = " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())
    # A full stop before a digit or a small letter ends no sentence: `Han et al. 2015`.
    return re.split(r"(?<=\.) (?=[A-Z`])", text, maxsplit=1)[0]


def _options(node: ast.FunctionDef, name: str) -> str:
    """Return `shape='cubic', ceiling=1.0`; what the name gives (`resnet{depth}`) is left out."""
    pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    return ", ".join(
        argument.arg if default is None else f"{argument.arg}={ast.unparse(default)}"
        for argument, default in pairs
        if f"{{{argument.arg}}}" not in name
    )
