"""Every installed recipe parses, resolves, can be planned, and finds a ticket on a tiny task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ticket.finding import find_one, plan
from ticket.phases import Train
from ticket.recipe import read_recipe, recipe_document
from ticket.registry import installed
from ticket.request import Request, prepare
from ticket.steps import Steps

Make = Callable[..., Request]
RECIPES = [plugin.name for plugin in installed("recipes")]


def test_the_recipes_of_the_project_are_installed() -> None:
    assert {"dense", "lth", "lth-oneshot", "lth-global", "random", "reinit", "unilth"} <= set(
        RECIPES
    )
    assert {"snip", "grasp", "synflow", "random-uniform", "random-erk"} <= set(RECIPES)
    assert {"set", "rigl", "set-itop", "rigl-itop", "gmp", "early-bird"} <= set(RECIPES)
    assert {"kd", "kd-rewind", "kd-early"} <= set(RECIPES)


def small(make: Make, name: str) -> Request:
    """Return a request of one or two rounds; a recipe that leaves out the rate says its rounds itself."""
    recipe = recipe_document(name)
    if not recipe.get("round"):
        return make(
            method=name, recipe={"rounds": recipe.get("rounds"), "sparsity": recipe.get("sparsity")}
        )
    if recipe.get("rate", 0.2) is None:
        often = tuple((f"recipe.round.{n}.train.mask_every", "5it") for n in changing(name))
        return make(method=name, recipe={"rounds": recipe["rounds"], "sparsity": 0.3}, sets=often)
    return make(method=name, recipe={"rounds": None, "sparsity": 0.3})


def changing(name: str) -> list[int]:
    """Return the places of the trainings that change masks: too seldom for 20 iterations."""
    phases = enumerate(read_recipe(recipe_document(name))[0].round)
    return [n for n, p in phases if isinstance(p, Train) and "mask_update" in p.changes]


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_read_without_a_mistake_and_cites_its_source(name: str) -> None:
    recipe, mistakes = read_recipe(recipe_document(name))
    assert mistakes == []
    assert recipe.name == name
    assert recipe.title
    assert recipe.paper or name == "dense"


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_resolves_by_itself_on_the_default_task(name: str, request_in: Make) -> None:
    config = prepare(Request(method=name)).config
    assert config.run_name().startswith(f"lenet-300-100-digits-{name}-")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_finds_what_its_plan_says(name: str, request_for: Make) -> None:
    request = small(request_for, name)
    planned = plan(request)
    assert (planned.state, planned.folder.exists()) == ("new", False)
    assert planned.seconds > 0
    assert planned.bytes > 0
    found = find_one(request)
    assert found.folder == planned.folder
    assert [r["kept"] for r in found.rounds] == [r["kept"] for r in planned.rounds]
    last = read_recipe(recipe_document(name))[0].final[-1]
    assert isinstance(last, Train)
    length = last.changes.get("length", Steps(20, "it")).iterations(5, 20)
    iterations = sum(training["iterations"] for training in found.rounds[-1]["trainings"])
    assert iterations == length - found.ticket.record["start"]
    assert found.ticket.kept == (112 if read_recipe(recipe_document(name))[0].round else 160)
    assert plan(request).state == "finished"


def test_unilth_records_what_proves_its_mechanism(request_for: Make) -> None:
    found = find_one(request_for(method="unilth", recipe={"rounds": 2}))
    for record in found.rounds[:-1]:
        cut = record["cut"]
        assert 0 <= cut["overlap"] <= 1
        assert cut["doomed_over_kept"] >= 0
        for side in ("before", "after"):
            assert cut[side].keys() == {
                "validation_loss", "validation_accuracy", "test_loss", "test_accuracy"
            }  # fmt: skip
        assert (
            record["mark"]["doomed"] == record["kept"] - found.rounds[record["round"] + 1]["kept"]
        )
    assert "cut" not in found.rounds[-1]


def cut_of(make: Make, penalty: float) -> dict[str, Any]:
    """Return what UniLTH's first cut shows after a long penalty; rate x ceiling stays below 2."""
    changes = {
        "optimizer": "sgd",
        "lr": 0.005,
        "length": "400%",
        "regularizers": [{"name": "growing_l2", "ceiling": penalty, "ramp": 0.5}],
    }
    sets = tuple((f"recipe.round.2.train.{name}", value) for name, value in changes.items())
    recipe = {"rounds": 1, "rate": 0.5, "rates": "same"}
    cut: dict[str, Any] = find_one(make(method="unilth", sets=sets, recipe=recipe)).rounds[0]["cut"]
    return cut


def test_unilths_ramp_drives_the_doomed_to_zero_and_the_cut_takes_them(request_for: Make) -> None:
    weak, strong = cut_of(request_for, 1e-6), cut_of(request_for, 200.0)
    assert strong["overlap"] == 1.0 >= weak["overlap"]
    assert strong["doomed_over_kept"] < 2e-3 < weak["doomed_over_kept"]


def test_unilths_cut_goes_unnoticed_after_the_ramp(request_for: Make) -> None:
    def change(cut: dict[str, Any]) -> float:
        return abs(float(cut["after"]["validation_loss"] - cut["before"]["validation_loss"]))

    weak, strong = cut_of(request_for, 1e-6), cut_of(request_for, 200.0)
    assert change(strong) < 5e-3 < change(weak)
    assert strong["after"]["test_accuracy"] == strong["before"]["test_accuracy"]
