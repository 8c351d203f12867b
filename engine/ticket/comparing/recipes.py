"""The phases in a recorded configuration, read without the plugins that they name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def phases_of(document: Mapping[str, Any], number: int, last: int) -> list[Any]:
    """Return the phases of a round in terms of YAML; the last one trains the ticket."""
    recipe = document.get("recipe") or {}
    final = list(recipe.get("final") or [])
    if number == last or document.get("start") is not None:
        return final
    first = recipe.get("first") if number == 0 else None  # where round 0 is another one
    return list(first or recipe.get("round") or final)
