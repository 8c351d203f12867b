"""What a recipe's document says, read without the plugins that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ticket.recipe import Recipe

Document = Mapping[str, Any]


def recipe_of(document: Document) -> dict[str, Any]:
    """Return all fields of a recipe, those a later version has added at their defaults."""
    return {**Recipe("not recorded").plain(), **(document.get("recipe") or {})}


def phases_of(document: Document, number: int, last: int) -> list[Any]:
    """Return the phases of a round in terms of YAML; the last one trains the ticket."""
    recipe = recipe_of(document)
    if number == last or document.get("start") is not None:
        return list(recipe["final"])
    first = recipe.get("first") if number == 0 else None  # where round 0 is another one
    return list(first or recipe["round"] or recipe["final"])
