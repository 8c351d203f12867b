"""A comparison shows what the files hold: a row for each thing compared, never two settings in one."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ticket.comparing.comparison import Comparison, compare
from ticket.comparing.names import made_by, spelled
from ticket.comparing.rows import Row, Subject, Value, grouped
from ticket.comparing.subjects import trains_dense_first
from ticket.controls import has_dense_baseline
from ticket.errors import TicketError, UsageError
from ticket.files import digest
from ticket.recipe import read_recipe, recipe_document
from ticket.registry import installed
from ticket.tickets import create
from ticket.transforming.lineage import ancestor

RECIPE: dict[str, Any] = {
    "name": "lth",
    "rounds": 2,
    "round": ["train", "mark", "cut", "rewind"],
    "final": ["train"],
}
Record = dict[str, Any]


def write_ticket(path: Path, record: Mapping[str, Any], seed: int, kept: int = 8) -> Path:
    """Write a ticket of 16 prunable weights."""
    torch.manual_seed(seed)
    mask = (torch.arange(16) < kept).reshape(4, 4)
    path.parent.mkdir(parents=True, exist_ok=True)
    full = {"seeds": {"seed": seed}, "training": {"length": "20it"}, "recipe": RECIPE, **record}
    create(nn.Linear(4, 4), {"weight": mask}, record=full).save(path)
    return path


def measured(accuracy: float, iterations: int = 20) -> Record:
    """Return the figures of a training: 1 % worse at the early stop than at the end."""
    early = {"iteration": iterations - 5, "test_accuracy": accuracy - 0.01}
    end = {"iteration": iterations, "test_accuracy": accuracy}
    return {"iterations": iterations, "early_stop": early, "end": end}


def one_round(number: int, kept: int, *accuracies: float) -> Record:
    return {
        "round": number,
        "kept": kept,
        "prunable": 16,
        "trainings": [measured(accuracy) for accuracy in accuracies],
        "seconds": {"0-train": 1.5, "2-cut": 0.5},
    }


def write_run(folder: Path, config: Record, seed: int, rounds: list[Record]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({**config, "seed": seed}))
    (folder / "figures.json").write_text(json.dumps({"seed": seed, "rounds": rounds}))
    return folder


def config_of(model: str = "deep", **fields: Any) -> Record:
    training = {"length": fields.pop("length", "20it")}
    return {"model": model, "dataset": "points", "training": training, "recipe": RECIPE, **fields}


def searched(
    runs: Path,
    seed: int = 0,
    accuracy: float = 0.9,
    *,
    kept: int = 8,
    dense: float = 0.91,
    reinit: float | None = None,
    name: str = "lth",
    **fields: Any,
) -> Path:
    """Write the run of a search: dense, a cut to 12 weights, a cut to `kept` of 16."""
    config = config_of(**fields)
    config["recipe"] = {**RECIPE, "name": name}
    folder = runs / f"{config['model']}-points-{name}-{seed}-{kept}-{config['training']['length']}"
    rounds = [one_round(0, 16, dense), one_round(1, 12, 0.5), one_round(2, kept, accuracy)]
    record = {"model": {"name": config["model"], "options": {}}, "dataset": "points"}
    write_ticket(folder / "ticket.safetensors", {**record, "rounds": rounds}, seed, kept)
    if reinit is not None:
        for number, value in ((1, 0.1), (2, reinit)):
            control = folder / "controls" / f"reinit-{number:02d}"
            write_run(control, config, seed, [one_round(0, kept, value)])
    return write_run(folder, config, seed, rounds)


def transformed(
    runs: Path, parent: Path, *, to: str = "deep", kept: int = 8, strategy: object = "elastic"
) -> Path:
    """Write what a transform writes, of the ticket in the folder `parent`."""
    from ticket.tickets import load

    source = load(parent / "ticket.safetensors")
    sha256 = digest(parent / "ticket.safetensors")
    seed = int(source.record["seeds"]["seed"])
    record = {
        "model": {"name": to, "options": {}},
        "dataset": "points",
        "rounds": [],
        "parent": sha256,
        "lineage": [
            *source.record.get("lineage", []),
            ancestor(source, sha256, [strategy], seed),
        ],
    }
    folder = runs / f"{to}-points-{spelled(strategy)}-{sha256[:6]}"
    write_ticket(folder / "ticket.safetensors", record, seed, kept)
    config = config_of(to, parent=sha256, transform=[strategy])
    write_run(folder, config, seed, [one_round(0, kept)])
    figures = json.loads((folder / "figures.json").read_text())
    figures["transform"] = {"seconds": 0.25}
    (folder / "figures.json").write_text(json.dumps(figures))
    return folder


def trained(
    runs: Path, ticket: Path, seed: int, accuracy: float, *, kept: int = 8, **fields: Any
) -> Path:
    """Write the run of `ticket train` on the ticket in the folder `ticket`."""
    from ticket.tickets import load

    path = ticket / "ticket.safetensors"
    start, record = digest(path), load(path).record
    config = config_of(record["model"]["name"], start=start, **fields)
    folder = runs / f"train-{start[:6]}-{seed}-{config['training']['length']}"
    inherited = {name: record[name] for name in ("lineage",) if name in record}
    known = {**inherited, "model": record["model"], "dataset": record["dataset"], "parent": start}
    write_ticket(folder / "ticket.safetensors", known, seed, kept)
    return write_run(folder, config, seed, [one_round(0, kept, accuracy)])


def of(runs: Path, *places: Path | str) -> Comparison:
    return compare([str(place) for place in places], runs)


def row_of(comparison: Comparison, what: str, control: str | None = None) -> Row:
    (row,) = (
        row for row in comparison.rows if (row.subject.what, row.subject.control) == (what, control)
    )
    return row


def test_the_seeds_of_a_search_are_one_row_with_its_controls_and_the_dense_network(
    tmp_path: Path,
) -> None:
    places = [searched(tmp_path, s, 0.9 + s / 100, dense=0.8, reinit=0.7) for s in (0, 1, 2)]
    found = of(tmp_path, *places)

    assert [(r.subject.what, r.subject.control) for r in found.rows] == [
        ("dense", None),
        ("lth", None),
        ("lth", "reinit"),
    ]
    ticket = row_of(found, "lth")
    assert ticket.measured("end", "test_accuracy") == [0.9, 0.91, 0.92]
    assert ticket.measured("early_stop", "test_accuracy") == [0.89, 0.9, 0.91]
    assert ticket.measured("early_stop", "iteration") == [15, 15, 15]
    assert [value.path for value in ticket.values] == places
    assert ticket.density == 0.5
    assert row_of(found, "dense").measured("end", "test_accuracy") == [0.8, 0.8, 0.8]
    assert row_of(found, "dense").density == 1
    assert row_of(found, "lth", "reinit").measured("end", "test_accuracy") == [0.7, 0.7, 0.7]


def test_a_search_costs_the_rounds_before_the_tickets_own_training(tmp_path: Path) -> None:
    ticket = row_of(of(tmp_path, searched(tmp_path)), "lth")

    assert (ticket.mean("iterations"), ticket.mean("seconds")) == (40, 4.0)


def test_runs_that_differ_in_a_setting_are_rows_apart_and_say_which(tmp_path: Path) -> None:
    short, long = searched(tmp_path), searched(tmp_path, length="40it")
    found = of(tmp_path, short, long)

    assert [r.differs for r in found.rows if r.subject.what == "lth"] == [
        (("training.length", "20it"),),
        (("training.length", "40it"),),
    ]
    assert [len(row.values) for row in found.rows] == [1, 1, 1, 1]


def test_a_field_that_a_later_version_added_does_not_part_old_runs_from_new(
    tmp_path: Path,
) -> None:
    old, new = searched(tmp_path, 0), searched(tmp_path, 1)
    config = yaml.safe_load((new / "config.yaml").read_text())
    config["training"]["batch_size"] = 128  # the default
    (new / "config.yaml").write_text(yaml.safe_dump(config))

    assert len(row_of(of(tmp_path, old, new), "lth").values) == 2


def test_a_transformed_ticket_is_shown_by_its_trainings(tmp_path: Path) -> None:
    sources = [searched(tmp_path, s, model="shallow") for s in (0, 1)]
    made = [transformed(tmp_path, source, kept=8 + n) for n, source in enumerate(sources)]
    for number, place in enumerate(made):
        trained(tmp_path, place, number, 0.8 + number / 10)
    found = of(tmp_path, *made)
    (row,) = found.rows

    assert (row.subject.kind, row.subject.what) == ("transformed", "elastic from shallow")
    assert row.measured("end", "test_accuracy") == [0.8, 0.9]
    assert [value.density for value in row.values] == [8 / 16, 9 / 16]
    assert (row.mean("iterations"), row.mean("seconds")) == (0, 0.25)
    assert row.mean("source_iterations") == 40
    assert found.untrained == ()


def test_a_training_named_itself_tells_the_same_as_the_ticket_it_trained(tmp_path: Path) -> None:
    made = transformed(tmp_path, searched(tmp_path, model="shallow"))
    run = trained(tmp_path, made, 0, 0.8)

    assert of(tmp_path, run).rows == of(tmp_path, made).rows
    assert of(tmp_path, made / "ticket.safetensors").rows == of(tmp_path, made).rows


def test_a_transformed_ticket_that_nobody_trained_has_a_row_and_is_named(tmp_path: Path) -> None:
    made = transformed(tmp_path, searched(tmp_path, model="shallow"))
    found = of(tmp_path, made)
    (row,) = found.rows

    assert (row.density, row.measured("end", "test_accuracy")) == (0.5, [])
    assert (row.mean("iterations"), row.mean("seconds")) == (0, 0.25)
    assert found.untrained == (made,)


def test_a_bare_ticket_is_shown_by_its_trainings_and_by_its_record(tmp_path: Path) -> None:
    place = searched(tmp_path / "runs")
    ticket = tmp_path / "elsewhere.safetensors"
    ticket.write_bytes((place / "ticket.safetensors").read_bytes())
    alone = of(tmp_path / "none", ticket)
    trained(tmp_path / "runs", place, 7, 0.6, length="40it")
    shown = row_of(of(tmp_path / "runs", ticket), "lth")

    assert row_of(alone, "lth").values[0].training is None
    assert (row_of(alone, "lth").mean("iterations"), row_of(alone, "lth").mean("seconds")) == (
        40,
        None,  # a file records no times
    )
    assert shown.measured("end", "test_accuracy") == [0.6]
    assert dict(shown.subject.settings)["training.length"] == "40it"


def test_a_run_that_was_set_aside_shows_nothing_any_more(tmp_path: Path) -> None:
    made = transformed(tmp_path, searched(tmp_path, model="shallow"))
    run = trained(tmp_path, made, 0, 0.8)
    run.rename(run.with_name(f"{run.name}.old-1"))

    assert of(tmp_path, made).untrained == (made,)


def test_what_is_named_twice_counts_once(tmp_path: Path) -> None:
    place = searched(tmp_path)
    found = of(tmp_path, place, f"{place}/", place / "ticket.safetensors", "deep")

    assert [len(row.values) for row in found.rows] == [1, 1]
    assert found.repeats == ()


def test_of_two_runs_of_one_ticket_and_seed_the_first_counts_and_the_other_is_told(
    tmp_path: Path,
) -> None:
    place = searched(tmp_path, 0, 0.9)
    again = trained(tmp_path, place, 0, 0.5)
    other_seed = trained(tmp_path, place, 1, 0.6)
    found = of(tmp_path, place, again, other_seed)

    assert row_of(found, "lth").measured("end", "test_accuracy") == [0.9, 0.6]
    assert found.repeats == ((again, place),)


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


def test_the_saving_is_the_search_for_the_target_less_the_transform(tmp_path: Path) -> None:
    made = transformed(tmp_path, searched(tmp_path, model="shallow"))
    near, far = searched(tmp_path, kept=7), searched(tmp_path, kept=2)
    other = searched(tmp_path, model="wide")
    (saving,) = of(tmp_path, made, far, near, other).savings

    assert (saving.transformed, saving.found) == ("elastic from shallow", "lth")
    assert saving.densities == (8 / 16, 7 / 16)
    assert saving.iterations == (0, 40)
    assert saving.seconds == (0.25, 4.0)
    assert saving.source_iterations == 40


def test_nothing_is_saved_where_there_is_nothing_to_save(tmp_path: Path) -> None:
    source = searched(tmp_path, model="shallow")
    made = transformed(tmp_path, source)
    back = transformed(tmp_path, made, to="shallow")
    at_once = searched(tmp_path, name="snip")
    figures = json.loads((at_once / "figures.json").read_text())
    for each in figures["rounds"][:-1]:
        each["trainings"] = []  # found without training
    (at_once / "figures.json").write_text(json.dumps(figures))
    config = yaml.safe_load((at_once / "config.yaml").read_text())
    config["recipe"]["round"] = ["mark", "cut"]
    (at_once / "config.yaml").write_text(yaml.safe_dump(config))

    assert of(tmp_path, made).savings == ()
    assert of(tmp_path, source, back).savings == ()  # it needs the very search it is set beside
    assert of(tmp_path, made, at_once).savings == ()


def test_three_seeds_beside_dense_and_reinit_have_a_verdict(tmp_path: Path) -> None:
    spread = (0.0, 0.01, 0.02)
    places = [
        searched(tmp_path, s, 0.9 + x, dense=0.9 + x, reinit=0.7 + x) for s, x in enumerate(spread)
    ]
    sources = [searched(tmp_path, s, model="shallow") for s in range(3)]
    made = [transformed(tmp_path, source) for source in sources]
    for seed, place in enumerate(made):
        trained(tmp_path, place, seed, 0.8 + spread[seed])
    found = of(tmp_path, *places, *made)
    words = {row.subject.what: row.verdict.word for row in found.rows if row.verdict}

    assert words == {"lth": "winning", "elastic from shallow": "not matching"}


def test_a_dense_network_that_was_trained_otherwise_judges_nothing(tmp_path: Path) -> None:
    place = searched(tmp_path)
    long = trained(tmp_path, place, 0, 0.9, length="40it")
    found = of(tmp_path, place, long)
    judged = {
        dict(row.subject.settings)["training.length"]: row.verdict is not None
        for row in found.rows
        if row.subject.kind == "found"
    }

    assert judged == {"20it": True, "40it": False}


def test_a_run_that_is_not_finished_names_the_command_that_continues_it(tmp_path: Path) -> None:
    place = searched(tmp_path, 3)
    run = trained(tmp_path, place, 5, 0.8)
    (run / "figures.json").unlink()
    with pytest.raises(TicketError, match=f"not finished.* ticket train {place}/.* --seed 5 "):
        of(tmp_path, run)
    (place / "figures.json").unlink()
    with pytest.raises(TicketError, match="ticket find --method lth --model deep .* --seed 3 "):
        of(tmp_path, place)
    made = transformed(tmp_path, searched(tmp_path, model="shallow"))
    (made / "figures.json").unlink()
    with pytest.raises(TicketError, match="not finished.* ticket transform --to deep "):
        of(tmp_path, made)


def test_an_unfinished_training_of_a_ticket_is_passed_over_and_told(tmp_path: Path) -> None:
    made = transformed(tmp_path, searched(tmp_path, model="shallow"))
    done, begun = trained(tmp_path, made, 0, 0.8), trained(tmp_path, made, 1, 0.1)
    (begun / "figures.json").unlink()
    found = of(tmp_path, made)

    assert [value.path for value in found.rows[0].values] == [done]
    assert found.unfinished == (begun,)


def test_what_cannot_be_compared_is_refused_with_what_to_give_instead(tmp_path: Path) -> None:
    place = searched(tmp_path, reinit=0.5)
    loose = write_ticket(tmp_path / "loose.safetensors", {"trained": True}, 0)
    with pytest.raises(UsageError, match="is a control; give its run"):
        of(tmp_path, place / "controls" / "reinit-02")
    with pytest.raises(UsageError, match="holds trained weights; give"):
        of(tmp_path, loose)
    with pytest.raises(UsageError, match="ticket find --method lth --model nothing"):
        of(tmp_path, "nothing")


@pytest.mark.parametrize("method", sorted(installed("recipes")))
def test_a_configuration_alone_tells_whether_round_0_is_the_dense_baseline(method: str) -> None:
    recipe, mistakes = read_recipe(recipe_document(method))

    assert not mistakes
    assert trains_dense_first({"recipe": recipe.plain()}) == has_dense_baseline(recipe)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.sampled_from("xyz"))),
)
def test_a_row_holds_one_setting_and_each_ticket_and_seed_once(
    drawn: list[tuple[str, int, str]],
) -> None:
    entries = [
        (
            Subject("found", "lth", "net", "points", (("training.lr", lr),), ()),
            Value(seed, ticket, Path(f"{lr}{seed}{ticket}"), 1, 2, measured(0.5)),
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
    assert repeats == []  # equal paths are one run, no repetition
    assert all(row.density == statistics.fmean(v.density for v in row.values) for row in rows)
