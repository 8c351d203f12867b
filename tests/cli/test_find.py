"""`ticket find` prints what the run has shown, and touches nothing that is finished."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ticket = Callable[..., tuple[int, str, str]]


@pytest.fixture
def again(found: Path, tiny: tuple[str, ...]) -> tuple[object, ...]:
    """Return the flags that mean the finished run."""
    return (
        "find",
        "--method",
        "unilth",
        "--controls",
        "reinit,random",
        "--runs",
        found.parent,
        *tiny,
    )


def _figures(folder: Path) -> list[dict[str, Any]]:
    rounds: list[dict[str, Any]] = json.loads((folder / "figures.json").read_text())["rounds"]
    return rounds


def test_progress_without_a_terminal_is_a_line_for_each_training(
    ticket: Ticket, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    code, out, err = ticket("find", "--method", "lth", "--runs", tmp_path, *tiny)
    lines = [line for line in out.splitlines() if "validation loss" in line]

    assert (code, err) == (0, "")
    assert [f"round {r}/2" in line and "20/20" in line for r, line in enumerate(lines)] == [
        True
    ] * 3


def test_quiet_leaves_the_progress_out(
    ticket: Ticket, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    _, out, _ = ticket("find", "--method", "lth", "--quiet", "--runs", tmp_path, *tiny)

    assert out.startswith("round")


def test_the_table_has_a_row_a_round_and_the_controls_beside_theirs(
    ticket: Ticket, again: tuple[object, ...], found: Path
) -> None:
    code, out, _ = ticket(*again)
    table = out[: out.index("cut after")].splitlines()
    rows = {line.split()[0]: line.split() for line in table if line.strip()}
    for shown in _figures(found):
        row, stop = rows[str(shown["round"])], shown["trainings"][0]["early_stop"]
        assert row[1] == f"{100 * shown['kept'] / shown['prunable']:.2f}"
        assert row[2] == str(shown["kept"])
        assert row[3] == str(stop["iteration"])
        assert row[5] == f"{100 * stop['test_accuracy']:.2f}"

    assert code == 0
    assert rows["reinit"][2] == rows["random"][2] == rows["2"][2]
    # Round 0 of UniLTH stops early, so the dense network is trained apart.
    assert rows["dense"][1] == "100.00"


def test_the_table_of_cuts_shows_what_proves_the_mechanism(
    ticket: Ticket, again: tuple[object, ...], found: Path
) -> None:
    _, out, _ = ticket(*again)
    header, _, first, *_ = out[out.index("cut after") :].splitlines()
    cut = _figures(found)[0]["cut"]

    assert "doomed that went %" in header
    assert first.split()[1] == f"{100 * cut['overlap']:.2f}"
    assert first.split()[2] == f"{cut['doomed_over_kept']:.1e}"


def test_the_last_lines_say_the_verdict_where_the_ticket_lies_and_what_to_type_next(
    ticket: Ticket, again: tuple[object, ...], found: Path
) -> None:
    _, out, _ = ticket(*again)

    assert "Verdict: undecided - 1 of 3 seeds" in out
    assert f"Ticket of seed 0: {found / 'ticket.safetensors'}" in out
    assert f"ticket train {found}" in out


def test_a_finished_run_is_shown_and_not_touched(
    ticket: Ticket, again: tuple[object, ...], found: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in found.rglob("*") if path.name != "lock"}
    _, out, _ = ticket(*again)

    assert out.startswith("Nothing is left to train")
    assert before == {p: p.stat().st_mtime_ns for p in found.rglob("*") if p.name != "lock"}


def test_json_is_one_document_with_the_figures_of_the_run(
    ticket: Ticket, again: tuple[object, ...], found: Path
) -> None:
    _, out, err = ticket(*again, "--json")
    (finding,) = json.loads(out)["findings"]

    assert json.loads(out)["verdict"]["word"] == "undecided"
    assert finding["rounds"] == _figures(found)
    assert finding["folder"] == str(found)
    assert [control["control"] for control in finding["controls"]] == ["reinit", "random"]
    assert "Nothing is left" in err


def test_fresh_keeps_the_old_run_under_another_name(
    ticket: Ticket, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    flags = ("find", "--method", "lth", "--runs", tmp_path, "--quiet", *tiny)
    ticket(*flags)
    (run,) = tmp_path.iterdir()
    old = (run / "ticket.safetensors").read_bytes()
    code, out, _ = ticket(*flags, "--fresh")
    aside = run.with_name(f"{run.name}.old-1")

    assert code == 0
    assert str(aside) in out
    assert (aside / "ticket.safetensors").read_bytes() == old
    assert (run / "ticket.safetensors").read_bytes() == old


@pytest.mark.slow
def test_two_seeds_side_by_side_have_a_spread_and_a_run_each(
    ticket: Ticket, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    flags = ("--replicates", "2", "--seed", "4", "--runs", tmp_path, *tiny)
    code, out, err = ticket("find", "--method", "lth", *flags)

    assert (code, err) == (0, "")
    assert "Ticket of seed 4" in out
    assert "Ticket of seed 5" in out
    assert len(list(tmp_path.iterdir())) == 2
    assert len([line for line in out.splitlines() if "±" in line]) == 3 + 1  # rounds, the note


def test_a_dry_run_shows_the_rounds_and_writes_nothing(
    ticket: Ticket, again: tuple[object, ...], tmp_path: Path, found: Path
) -> None:
    flags = [tmp_path / "runs" if flag == found.parent else flag for flag in again]
    code, out, _ = ticket(*flags, "--dry-run", "--json")
    plan = json.loads(out)

    assert code == 0
    assert [(r["round"], r["kept"]) for r in plan["rounds"]] == [
        (r["round"], r["kept"]) for r in _figures(found)
    ]
    assert plan["state"] == "new"
    assert plan["seconds"] > 0
    assert Path(plan["folder"]).name == found.name
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_warns_of_layers_that_will_be_starved(
    ticket: Ticket, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    flags = (*tiny, "--rate", "0.7", "--runs", tmp_path, "--dry-run")
    code, out, _ = ticket("find", "--method", "lth", *flags)
    plan = json.loads(ticket("find", "--method", "lth", *flags, "--json")[1])

    assert code == 0
    told = [line for line in out.splitlines() if line.startswith("warning ")]
    assert told == [f"warning   {text}" for text in plan["warnings"]]
    assert any("get no input" in line and "'output.weight'" in line for line in told)


def test_a_recorded_configuration_means_the_same_run(ticket: Ticket, found: Path) -> None:
    flags = ("--config", found / "config.yaml", "--runs", found.parent)
    code, out, _ = ticket("find", *flags, "--dry-run", "--json")
    other = json.loads(ticket("find", *flags, "--seed", "7", "--dry-run", "--json")[1])

    assert code == 0
    assert (json.loads(out)["folder"], json.loads(out)["state"]) == (str(found), "finished")
    assert other["config"]["seed"] == 7
    assert other["folder"] != str(found)


@pytest.mark.parametrize(
    ("flags", "field", "value"),
    [
        (("--density", "0.8"), ("recipe", "sparsity"), 0.2),
        (("--rate", "0.5"), ("recipe", "rate"), 0.5),
        (("--rate", "0.5"), ("recipe", "rates"), "same"),
        (("--scope", "global"), ("recipe", "scope"), "global"),
        (("--epochs", "2.5"), ("training", "length"), "2.5ep"),
        (("--momentum", "0.9"), ("training", "optimizer"), {"name": "sgd", "momentum": 0.9}),
        (("--set", "training.lr=1e-3"), ("training", "lr"), 0.001),
        (
            ("--set", "recipe.round.0.train.patience=5"),
            ("recipe", "round"),
            {"train": {"patience": 5}},
        ),
        (("--rewind", "none"), ("recipe", "round"), "train"),
    ],
)
def test_a_flag_reaches_the_field_that_it_names(
    ticket: Ticket, flags: tuple[str, ...], field: tuple[str, str], value: object
) -> None:
    start = ("--method", "lth", "--dataset", "synthetic", "--optimizer", "sgd", "--dry-run")
    code, out, err = ticket("find", *start, "--json", *flags)

    assert code == 0, err
    part, name = field
    set_to = json.loads(out)["config"][part][name]
    assert (set_to[0] if isinstance(set_to, list) else set_to) == value
