"""Every installed recipe finds on the bundled data what `ticket verify` proves, every round replayed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ticket.finding import find_one
from ticket.recipe import recipe_document
from ticket.registry import installed
from ticket.request import Request
from ticket.verifying.verification import verify

Make = Callable[..., Request]


def small(make: Make, name: str) -> Request:
    """Return a request of a second; where masks change inside a training, they do so every 5 iterations."""
    document = recipe_document(name)
    recipe: dict[str, Any] = {"sparsity": 0.3 if document.get("round") else None}
    recipe["rounds"] = document.get("rounds") if document.get("rate", 0.2) is None else None
    sets = tuple(
        (f"recipe.round.{number}.train.mask_every", "5it")
        for number, phase in enumerate(document.get("round") or [])
        if isinstance(phase, dict) and "mask_update" in (phase.get("train") or {})
    )
    moving = ("training.optimizer", {"name": "sgd", "momentum": 0.9})
    bundled = ("dataset", "digits")
    return make(method=name, recipe=recipe, sets=(*sets, moving, bundled), keep="all")


@pytest.mark.parametrize("name", sorted(plugin.name for plugin in installed("recipes")))
def test_what_a_recipe_finds_is_what_it_claims(name: str, request_for: Make) -> None:
    request = small(request_for, name)
    found = find_one(request)
    rounds = range(len(found.rounds))
    verified = verify(found.folder, runs_folder=request.runs_folder, replay=rounds)
    untold = [r for r in verified.results if r.state == "not checked"]

    assert verified.failures == []
    # A finished run keeps no moments, so what goes on from a pause is for the replay alone.
    assert [r for r in untold if r.subject != "moments" and "paused" not in r.text] == []
    assert [r.state for r in verified.results if r.check == "replay"] == ["held"] * len(rounds)
