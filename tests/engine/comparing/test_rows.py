"""Names and settings decide a row: equal ones share it, and nothing is lost or counted twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticket.comparing.names import made_by, spelled
from ticket.comparing.rows import Subject, Value, grouped
from ticket.comparing.subjects import trains_dense_first
from ticket.controls import has_dense_baseline
from ticket.recipe import read_recipe, recipe_document
from ticket.registry import installed


@pytest.mark.parametrize(
    ("lineage", "name"),
    [
        ([("a", "x", ["elastic"])], "elastic from a"),
        ([("a", "y", ["elastic"])], "elastic from a on y"),
        (
            [("a", "x", [{"name": "elastic", "order": "append"}, "shuffle"])],
            "elastic (order append) + shuffle from a",
        ),
        ([("a", "x", ["one"]), ("b", "x", ["two"])], "two from b (one from a)"),
        ([("a", "y", ["one"]), ("b", "x", ["two"])], "two from b (one from a on y)"),
    ],
)
def test_a_transformed_ticket_is_named_by_its_lineage(
    lineage: Sequence[tuple[str, str, list[object]]], name: str
) -> None:
    documents = [
        {"model": {"name": model, "options": {}}, "dataset": dataset, "strategies": strategies}
        for model, dataset, strategies in lineage
    ]

    assert made_by(documents, "x") == name


@pytest.mark.parametrize(
    ("use", "text"),
    [
        ("mlp", "mlp"),
        ({"name": "mlp", "hidden": [20, 10]}, "mlp (hidden [20, 10])"),
        ({"name": "mlp", "options": {"hidden": [20, 10]}}, "mlp (hidden [20, 10])"),
        ({"name": "net", "options": {}}, "net"),
        ({"name": "net", "deep": True, "act": "relu"}, "net (deep true, act relu)"),
        (None, "not recorded"),
    ],
)
def test_configurations_and_records_spell_a_plugin_alike(use: object, text: str) -> None:
    assert spelled(use) == text


@pytest.mark.parametrize("method", sorted(plugin.name for plugin in installed("recipes")))
def test_a_configuration_alone_tells_whether_round_0_is_the_dense_baseline(method: str) -> None:
    recipe, mistakes = read_recipe(recipe_document(method))

    assert not mistakes
    assert trains_dense_first({"recipe": recipe.plain()}) == has_dense_baseline(recipe)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.sampled_from("xyz"))))
def test_a_row_holds_one_setting_and_each_ticket_and_seed_once(
    drawn: list[tuple[str, int, str]],
) -> None:
    entries = [
        (
            Subject("found", "lth", "net", "points", (("training.lr", lr),), ()),
            Value(seed, ticket, Path(f"{lr}{seed}{ticket}"), 1, 2),
        )
        for lr, seed, ticket in drawn
    ]
    rows, repeats = grouped(entries)
    held = [
        (dict(row.subject.settings)["training.lr"], value.seed, value.ticket)
        for row in rows
        for value in row.values
    ]

    assert sorted(held) == sorted(set(drawn))
    assert len(rows) == len({lr for lr, _, _ in drawn})
    assert all(bool(row.differs) == (len(rows) > 1) for row in rows)
    assert repeats == []  # equal paths are one run, no repetition


@given(st.permutations([(kind, n) for kind in ("transformed", "dense", "found") for n in (0, 1)]))
def test_rows_stand_dense_found_transformed_and_controls_below_their_ticket(
    drawn: list[tuple[str, int]],
) -> None:
    entries = [
        (
            Subject(kind, kind, "net", "points", (), (), "reinit" if number else None),  # type: ignore[arg-type]
            Value(0, kind, Path(kind), 1, 2),
        )
        for kind, number in drawn
    ]
    rows, _ = grouped(entries)

    assert [(row.subject.kind, row.subject.control) for row in rows] == [
        (kind, control)
        for kind in ("dense", "found", "transformed")
        for control in (None, "reinit")
    ]
