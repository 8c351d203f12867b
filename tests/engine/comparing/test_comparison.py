"""A comparison shows what the files hold: a row for each thing compared, never two settings in one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from ticket.errors import TicketError, UsageError

Runs = Any  # of conftest.py


def test_the_seeds_of_a_search_are_one_row_with_its_controls_and_the_dense_network(
    runs: Runs,
) -> None:
    places = [runs.searched(s, 0.9 + s / 100, dense=0.8, reinit=0.7) for s in (0, 1, 2)]
    dense, ticket, reinit = runs.compare(*places).rows

    assert [(r.subject.what, r.subject.control) for r in (dense, ticket, reinit)] == [
        ("dense", None),
        ("lth", None),
        ("lth", "reinit"),
    ]
    assert ticket.measured("end", "test_accuracy") == [0.9, 0.91, 0.92]
    assert ticket.measured("early_stop", "test_accuracy") == [0.89, 0.9, 0.91]
    assert ticket.measured("early_stop", "iteration") == [15, 15, 15]
    assert [value.path for value in ticket.values] == places
    assert dense.measured("end", "test_accuracy") == [0.8, 0.8, 0.8]
    assert reinit.measured("end", "test_accuracy") == [0.7, 0.7, 0.7]
    assert (dense.density, ticket.density, reinit.density) == (1, 0.5, 0.5)


def test_a_search_costs_the_rounds_before_the_tickets_own_training(runs: Runs) -> None:
    ticket = runs.row("lth", runs.searched())

    assert (ticket.mean("iterations"), ticket.mean("seconds")) == (40, 4.0)


def test_runs_that_differ_in_a_setting_are_rows_apart_and_say_which(runs: Runs) -> None:
    rows = runs.compare(runs.searched(), runs.searched(length="40it")).rows

    assert [r.differs for r in rows if r.subject.what == "lth"] == [
        (("training.length", "20it"),),
        (("training.length", "40it"),),
    ]
    assert [len(row.values) for row in rows] == [1, 1, 1, 1]


def test_a_field_that_a_later_version_added_does_not_part_old_runs_from_new(runs: Runs) -> None:
    old, new = runs.searched(0), runs.searched(1)
    config = yaml.safe_load((new / "config.yaml").read_text())
    config["training"]["batch_size"] = 128  # the defaults
    config["recipe"]["scope"] = "global"
    (new / "config.yaml").write_text(yaml.safe_dump(config))

    assert len(runs.row("lth", old, new).values) == 2


def test_a_transformed_ticket_is_shown_by_its_trainings(runs: Runs) -> None:
    sources = [runs.searched(s, model="shallow") for s in (0, 1)]
    made = [runs.transformed(source, kept=8 + n) for n, source in enumerate(sources)]
    for number, place in enumerate(made):
        runs.trained(place, number, 0.8 + number / 10)
    found = runs.compare(*made)
    (row,) = found.rows

    assert (row.subject.kind, row.subject.what) == ("transformed", "elastic from shallow")
    assert row.measured("end", "test_accuracy") == [0.8, 0.9]
    assert [value.density for value in row.values] == [8 / 16, 9 / 16]
    assert (row.mean("iterations"), row.mean("seconds")) == (0, 0.25)
    assert row.mean("source_iterations") == 40
    assert found.untrained == ()


def test_a_training_named_itself_tells_the_same_as_the_ticket_it_trained(runs: Runs) -> None:
    made = runs.transformed(runs.searched(model="shallow"))
    run = runs.trained(made, 0, 0.8)

    assert runs.compare(run).rows == runs.compare(made).rows
    assert runs.compare(made / "ticket.safetensors").rows == runs.compare(made).rows


def test_transforms_with_other_strategies_options_or_sources_are_rows_apart(runs: Runs) -> None:
    source = runs.searched(model="shallow")
    options = [runs.transformed(source, strategy={"name": "elastic", "order": o}) for o in "ab"]
    denser = runs.transformed(runs.searched(model="shallow", kept=12), kept=12)
    sparser = runs.transformed(source)
    rows = runs.compare(*options, denser, sparser).rows

    assert [(r.subject.what, dict(r.differs).get("source.kept")) for r in rows] == [
        ("elastic (order a) from shallow", None),
        ("elastic (order b) from shallow", None),
        ("elastic from shallow", "12 of 16"),
        ("elastic from shallow", "8 of 16"),
    ]


def test_a_transformed_ticket_that_nobody_trained_has_a_row_and_is_named(runs: Runs) -> None:
    made = runs.transformed(runs.searched(model="shallow"))
    found = runs.compare(made)
    (row,) = found.rows

    assert (row.density, row.measured("end", "test_accuracy")) == (0.5, [])
    assert (row.mean("iterations"), row.mean("seconds")) == (0, 0.25)
    assert found.untrained == (made,)


def test_a_bare_ticket_is_shown_by_its_trainings_and_by_its_record(
    runs: Runs, tmp_path: Path
) -> None:
    place, bare = runs.searched(), tmp_path / "elsewhere.safetensors"
    bare.write_bytes((place / "ticket.safetensors").read_bytes())
    alone = runs.row("lth", bare)
    runs.trained(place, 7, 0.6, length="40it")
    shown = runs.row("lth", bare)

    assert alone.values[0].training is None
    # A file records no times.
    assert (alone.mean("iterations"), alone.mean("seconds")) == (40, None)
    assert shown.measured("end", "test_accuracy") == [0.6]
    assert dict(shown.subject.settings)["training.length"] == "40it"


def test_a_run_that_was_set_aside_shows_nothing_any_more(runs: Runs) -> None:
    made = runs.transformed(runs.searched(model="shallow"))
    run = runs.trained(made, 0, 0.8)
    run.rename(run.with_name(f"{run.name}.old-1"))

    assert runs.compare(made).untrained == (made,)


def test_what_is_named_twice_counts_once(runs: Runs) -> None:
    place = runs.searched()
    found = runs.compare(place, f"{place}/.", place / "ticket.safetensors", "deep")

    assert [len(row.values) for row in found.rows] == [1, 1]
    assert found.repeats == ()


def test_a_ticket_named_by_two_paths_is_told_once(runs: Runs) -> None:
    made = runs.transformed(runs.searched(model="shallow"))

    assert runs.compare(made, os.path.relpath(made)).untrained == (made,)


def test_the_dense_network_of_a_seed_is_one_whichever_method_trained_it(runs: Runs) -> None:
    places = [runs.searched(seed, name=name) for name in ("lth", "other") for seed in (0, 1)]
    found = runs.compare(*places)

    assert [(r.subject.what, [v.seed for v in r.values]) for r in found.rows] == [
        ("dense", [0, 1]),
        ("lth", [0, 1]),
        ("other", [0, 1]),
    ]
    assert found.repeats == ()


def test_of_two_runs_of_one_ticket_and_seed_the_first_counts_and_the_other_is_told(
    runs: Runs,
) -> None:
    place = runs.searched(0, 0.9)
    again, other = runs.trained(place, 0, 0.5), runs.trained(place, 1, 0.6)

    assert runs.row("lth", place, again, other).measured("end", "test_accuracy") == [0.9, 0.6]
    assert runs.compare(place, again, other).repeats == ((again, place),)


def test_the_saving_is_the_search_for_the_target_beside_the_transform(runs: Runs) -> None:
    made = runs.transformed(runs.searched(model="shallow"))
    others = [runs.searched(kept=kept) for kept in (2, 7, 12)]
    (saving,) = runs.compare(made, *others, runs.searched(model="wide")).savings

    assert (saving.transformed, saving.found) == ("elastic from shallow", "lth")
    assert saving.densities == (8 / 16, 7 / 16)
    assert saving.iterations == (0, 40)
    assert saving.seconds == (0.25, 4.0)
    assert saving.source_iterations == 40


def test_nothing_is_saved_where_there_is_nothing_to_save(runs: Runs) -> None:
    source, at_once = runs.searched(model="shallow"), runs.searched(name="snip")
    made = runs.transformed(source)
    back = runs.transformed(made, to="shallow")
    figures = json.loads((at_once / "figures.json").read_text())
    for each in figures["rounds"][1:-1]:
        each["trainings"] = []
    figures["rounds"][0]["trainings"][0]["iterations"] = 0  # found without training
    (at_once / "figures.json").write_text(json.dumps(figures))

    assert runs.compare(made).savings == ()
    assert runs.compare(made, at_once).savings == ()
    assert runs.compare(source, back).savings == ()  # it needs the search it is set beside


def test_three_seeds_beside_dense_and_reinit_have_a_verdict(runs: Runs) -> None:
    spread = dict(enumerate((0.0, 0.01, 0.02)))
    places = [
        runs.searched(seed, 0.9 + x, dense=0.9 + x, reinit=0.7 + x) for seed, x in spread.items()
    ]
    made = [runs.transformed(runs.searched(seed, model="shallow")) for seed in spread]
    for seed, place in enumerate(made):
        runs.trained(place, seed, 0.8 + spread[seed])
    rows = runs.compare(*places, *made).rows

    assert {row.subject.what: row.verdict.word for row in rows if row.verdict} == {
        "lth": "winning",
        "elastic from shallow": "not matching",
    }


def test_a_dense_network_that_was_trained_otherwise_judges_nothing(runs: Runs) -> None:
    place = runs.searched()
    rows = runs.compare(place, runs.trained(place, 0, 0.9, length="40it")).rows

    assert {
        dict(row.subject.settings)["training.length"]: row.verdict is not None
        for row in rows
        if row.subject.kind == "found"
    } == {"20it": True, "40it": False}


def test_a_run_that_is_not_finished_names_the_command_that_continues_it(runs: Runs) -> None:
    place = runs.searched(3)
    run = runs.trained(place, 5, 0.8)
    made = runs.transformed(runs.searched(model="shallow"))
    for folder, command in (
        (run, rf"ticket train {place}/ticket.safetensors --seed 5 "),
        (place, r"ticket find --method lth --model deep --dataset points --seed 3 "),
        (made, r"ticket transform --to deep "),
    ):
        (folder / "figures.json").unlink()
        with pytest.raises(TicketError, match=rf"is not finished; continue it with: {command}"):
            runs.compare(folder)


def test_an_unfinished_training_of_a_ticket_is_passed_over_and_told(runs: Runs) -> None:
    made = runs.transformed(runs.searched(model="shallow"))
    done, begun = runs.trained(made, 0, 0.8), runs.trained(made, 1, 0.1)
    (begun / "figures.json").unlink()
    found = runs.compare(made)

    assert [value.path for value in found.rows[0].values] == [done]
    assert found.unfinished == (begun,)


def test_what_cannot_be_compared_is_refused_with_what_to_give_instead(
    runs: Runs, tmp_path: Path
) -> None:
    place = runs.searched(reinit=0.5)
    loose = runs.loose(tmp_path / "loose.safetensors", trained=True)
    with pytest.raises(UsageError, match="is a control; give its run"):
        runs.compare(place / "controls" / "reinit-02")
    with pytest.raises(UsageError, match="holds trained weights; give"):
        runs.compare(loose)
    with pytest.raises(UsageError, match="ticket find --method lth --model nothing"):
        runs.compare("nothing")
