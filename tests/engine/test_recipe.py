"""A recipe is read whole, every mistake in it is told at once, and only the method names the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ticket.config import check_phases
from ticket.errors import TicketError, UsageError
from ticket.phases import Cut, Mark, Rewind, Train
from ticket.recipe import Recipe, read_recipe, recipe_document

ROUND = ["train", "mark", "cut", "rewind"]


def good(**fields: Any) -> Recipe:
    recipe, mistakes = read_recipe({"name": "own", "round": ROUND, **fields})
    assert mistakes == []
    return recipe


def test_a_recipe_is_read() -> None:
    recipe = good(rate="0.3", sparsity=0.9, scope="erk", exclude=["stem.*"], final=["train"])
    assert recipe.round == (Train(), Mark(), Cut(), Rewind())
    assert recipe.final == (Train(),)
    assert (recipe.rate, recipe.sparsity, recipe.scope.name) == (0.3, 0.9, "erk")
    assert recipe.exclude == ("stem.*",)
    assert recipe.rewinds() == [Rewind()]


def test_a_recipe_reads_itself_back() -> None:
    recipe = good(
        sparsity=0.9, scope="erk", training={"lr": 0.1}, title="A title", exclude=["a", "b"]
    )
    assert read_recipe(recipe.plain()) == (recipe, [])


def test_five_mistakes_are_told_at_once() -> None:
    document = {
        "name": "own",
        "rat": 0.2,
        "sparsity": 1.5,
        "scope": "globel",
        "round": ["train", {"mark": {"criterion": "magnitud"}}, "cutt"],
    }
    _, mistakes = read_recipe(document)
    assert mistakes == [
        "recipe 'own' has no field 'rat'; did you mean 'rate'?",
        "recipe 'own': sparsity wants a number in (0, 1), got 1.5",
        "recipe 'own': no scope named 'globel'; did you mean 'global'?",
        "recipe 'own', round 2, mark: no criterion named 'magnitud'; did you mean 'magnitude'?",
        "recipe 'own', round 3: no phase 'cutt'; did you mean 'cut'?",
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"round": "train"}, "round wants a list of phases, got 'train'"),
        ({"round": [], "final": []}, "has no phases"),
        ({"rounds": -1}, "rounds wants a number"),
        ({"rounds": 2.5}, "rounds wants a whole number"),
        ({"sparsity": "nan"}, "sparsity wants a number"),
        ({"sparsity": 0}, "sparsity wants a number"),
        ({"rate": 1}, "rate wants a number"),
        ({"rates": "models"}, "rates wants model or same"),
        ({"training": 5}, "training wants Mapping"),
    ],
)
def test_a_mistake_says_what_is_wanted(fields: dict[str, Any], said: str) -> None:
    _, mistakes = read_recipe({"name": "own", "round": ROUND, **fields})
    assert any(said in mistake for mistake in mistakes), mistakes


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"round": ["train", "mark"]}, "wants exactly one cut, this one has 0"),
        ({"round": ["mark", "cut", "cut"]}, "wants exactly one cut, this one has 2"),
        ({"round": ["train", "cut", "mark"]}, "cut needs a mark before it"),
        ({"round": ["mark", "rewind", "cut"]}, "cut needs a mark before it"),
        ({"sparsity": None}, "needs to know when to stop"),
        ({"round": [], "final": ["train"]}, "prunes nothing"),
        ({"final": ["train", "cut"]}, "`final` trains the ticket and holds train phases only"),
        ({"final": []}, "`final` wants a train phase"),
        (
            {"round": ["mark", "cut", {"rewind": {"to": "5it"}}]},
            "nothing is trained before the rewind",
        ),
        ({"first": ["train", "mark"]}, "`first` wants exactly one cut, this one has 0"),
        ({"first": ["mark", "cut"], "round": ["train", "cut"]}, "cut needs a mark before it"),
        ({"first": ["mark", "cut"], "round": []}, "`first` is round 0 of many and wants a `round`"),
        (
            {
                "first": ["mark", "cut"],
                "round": ["train", "mark", "cut", {"rewind": {"to": "5it"}}],
            },
            "round 0 trains nothing, so there is no state of 5it to rewind to",
        ),
    ],
)
def test_phases_in_an_order_that_cannot_work_are_refused(fields: dict[str, Any], said: str) -> None:
    document = {"name": "own", "round": ROUND, "final": ["train"], "sparsity": 0.9, **fields}
    recipe, mistakes = read_recipe(document)
    assert mistakes == []
    assert any(said in mistake for mistake in check_phases(recipe)), check_phases(recipe)


def test_the_prose_is_no_part_of_the_method() -> None:
    assert good(title="A", paper="B", notes="C").changed() == good().changed()


def test_no_rate_is_another_method_than_the_default_rate() -> None:
    """Ten rounds to 0.8926 are cut at whole rounds of 20 %, or at ten equal steps."""
    assert good(rate=None).changed() != good().changed()


def test_a_field_at_its_default_is_no_part_of_the_method() -> None:
    assert good(rate=0.2, exclude=[], training={}, rounds=None).changed() == good().changed()
    assert good(rate=0.3).changed() != good().changed()


def test_a_recipe_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("round: [train]\n")
    assert recipe_document(str(file)) == {"name": "mine", "round": ["train"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [", "is not YAML"), ("just text", "wants fields such as"), ("", "wants fields such as")],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(TicketError, match=said):
        recipe_document(str(file))


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no recipe named 'unilht'; did you mean 'unilth'\?"):
        recipe_document("unilht")
    with pytest.raises(UsageError, match=r"no recipe file none.yaml"):
        recipe_document("none.yaml")
