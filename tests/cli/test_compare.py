"""`ticket compare` prints what runs have measured, beside what a transform saved."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ticket.files import digest
from ticket.tickets import load

Ticket = Callable[..., tuple[int, str, str]]
TASK = (
    *("--dataset", "synthetic", "--set", "dataset.examples=80", "--set", "dataset.size=4"),
    *("--optimizer", "sgd", "--lr", "0.1", "--batch-size", "16"),
    *("--steps", "20", "--eval-every", "5it", "--rounds", "2", "--quiet"),
)


def figures_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "figures.json").read_text())
    return document


def last_of(folder: Path) -> dict[str, Any]:
    training: dict[str, Any] = figures_of(folder)["rounds"][-1]["trainings"][-1]
    return training


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a runs folder: searches for mlp-2 and mlp-3, a transform, its training."""
    from ticket_cli.main import run

    runs = tmp_path_factory.mktemp("family") / "runs"
    for arguments in (
        ["find", "--method", "lth", "--model", "mlp-2", "--runs", runs, *TASK],
        ["find", "--method", "lth", "--model", "mlp-3", "--runs", runs, *TASK],
        ["transform", "--from", "mlp-2", "--to", "mlp-3", "--runs", runs],
    ):
        assert run([str(argument) for argument in arguments]) == 0
    return runs


def one(runs: Path, pattern: str) -> Path:
    (path,) = runs.glob(pattern)
    return path


def test_a_run_is_shown_with_the_figures_that_it_has_written(ticket: Ticket, found: Path) -> None:
    code, out, err = ticket("compare", found, "--json")
    rows = {row["control"] or row["ticket"]: row for row in json.loads(out)["rows"]}
    folders = {
        "dense": found / "controls" / "dense-00",
        "unilth": found,
        "random": found / "controls" / "random-02",
        "reinit": found / "controls" / "reinit-02",
    }

    assert (code, err) == (0, "")
    assert list(rows) == list(folders)
    for name, folder in folders.items():
        (seed,) = rows[name]["seeds"]
        assert seed["training"] == last_of(folder)
        assert rows[name]["test_at_end"]["mean"] == last_of(folder)["end"]["test_accuracy"]
    assert rows["unilth"]["density"] == load(found / "ticket.safetensors").density
    assert rows["unilth"]["seeds"][0]["sha256"] == digest(found / "ticket.safetensors")
    earlier = figures_of(found)["rounds"][:-1]
    assert rows["unilth"]["iterations"] == sum(
        t["iterations"] for r in earlier for t in r["trainings"]
    )


def test_the_table_has_a_line_a_row_with_accuracies_in_percent(ticket: Ticket, found: Path) -> None:
    _, out, _ = ticket("compare", found)
    lines = {line.split()[0]: line for line in out.partition("test:")[0].splitlines() if line}
    end = last_of(found)["end"]["test_accuracy"]

    assert f" {100 * end:.2f} " in lines["unilth"]
    assert f" {100 * load(found / 'ticket.safetensors').density:.2f} " in lines["unilth"]
    assert "undecided" in lines["unilth"]
    assert list(lines)[2:6] == ["dense", "unilth", "random", "reinit"]
    assert "settings" not in lines["ticket"]  # the names tell the rows apart


def test_a_transformed_ticket_stands_beside_the_search_that_it_saved(
    ticket: Ticket, family: Path
) -> None:
    made, searched = one(family, "mlp-3-*elastic*"), one(family, "mlp-3-*lth*")
    code, out, _ = ticket("compare", made, searched, "--runs", family)

    assert code == 0
    assert "elastic from mlp-2" in out
    assert f"Not trained yet: ticket train {made}" in out
    assert "Saved for mlp-3 on synthetic (examples 80, size 4): 40 training iterations and" in out
    assert "% dense: 0 iterations, " in out
    assert "The source's search, 40 iterations, is reused." in out


def test_the_document_holds_the_saving_and_the_trainings_of_the_transformed_ticket(
    ticket: Ticket, family: Path, tmp_path: Path
) -> None:
    runs = Path(shutil.copytree(family, tmp_path / "runs"))
    made, searched = one(runs, "mlp-3-*elastic*"), one(runs, "mlp-3-*lth*")
    code, _, err = ticket("train", made, "--runs", runs, "--quiet")
    assert (code, err) == (0, "")
    run = one(runs, "mlp-3-*train*")
    _, out, _ = ticket("compare", made, searched, "--runs", runs, "--json")
    document = json.loads(out)
    row = next(row for row in document["rows"] if row["kind"] == "transformed")
    (saving,) = document["savings"]
    spent = sum(sum(r["seconds"].values()) for r in figures_of(searched)["rounds"][:-1])

    assert document["untrained"] == []
    assert [seed["path"] for seed in row["seeds"]] == [str(run)]
    assert row["seeds"][0]["training"] == last_of(run)
    assert row["seeds"][0]["lineage"][0]["ticket"] == digest(
        one(runs, "mlp-2-*") / "ticket.safetensors"
    )
    assert (saving["transformed"]["iterations"], saving["found"]["iterations"]) == (0, 40)
    assert saving["transformed"]["seconds"] == figures_of(made)["transform"]["seconds"]
    assert saving["found"]["seconds"] == pytest.approx(spent)
    assert saving["source_iterations"] == 40


def test_rows_of_one_name_say_in_which_settings_they_differ(
    ticket: Ticket, family: Path, tmp_path: Path
) -> None:
    place = one(family, "mlp-2-*")
    code, _, err = ticket("train", place, "--runs", tmp_path, "--steps", "10", "--quiet")
    assert (code, err) == (0, "")
    _, out, _ = ticket("compare", place, one(tmp_path, "*"), "--runs", family)
    table = out.partition("test:")[0]
    lines = [line for line in table.splitlines() if line.startswith("lth")]

    assert [line.split("length ")[1] for line in lines] == ["20it", "10it"]


def test_without_anything_to_compare_the_usage_is_told(ticket: Ticket) -> None:
    code, _, err = ticket("compare")

    assert (code, err.count("\n")) == (2, 1)
    assert "RUN|TICKET" in err


@pytest.mark.parametrize("content", [b"", b"\xff" * 64])
def test_a_file_that_is_no_ticket_is_one_line(
    ticket: Ticket, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    code, out, err = ticket("compare", path, "--runs", tmp_path)

    assert (code, out, err.count("\n")) == (1, "", 1)
    assert str(path) in err


def test_the_cost_of_a_ticket_is_its_search_and_its_training(ticket: Ticket, found: Path) -> None:
    """The network is 16-8-4: a masked weight costs nothing, a step on 16 images 3 x 16 passes."""
    _, out, _ = ticket("compare", found, "--json")
    rows = {row["control"] or row["ticket"]: row for row in json.loads(out)["rows"]}
    figures = figures_of(found)
    spent, images = 0.0, figures["work"]["examples"]
    for one_round in figures["rounds"]:
        for training in one_round["trainings"]:
            epochs = training["iterations"] / -(-images // 16)
            spent += 3 * one_round["kept"] * epochs * images
    dense = rows["dense"]["cost"]

    assert figures["work"]["uses"] == {"fc1.weight": 1.0, "output.weight": 1.0}
    assert rows["unilth"]["cost"]["multiply_adds"] == pytest.approx(spent)
    assert dense["iterations"] == 20
    assert dense["epochs"] == 20 / -(-images // 16)
    assert dense["multiply_adds"] == 3 * 160 * dense["epochs"] * images
    assert rows["reinit"]["cost"]["iterations"] == 20
    assert rows["unilth"]["cost"]["seconds"] > rows["unilth"]["seconds"]


def test_the_table_of_costs_sets_each_row_beside_the_dense_training(
    ticket: Ticket, found: Path
) -> None:
    _, out, _ = ticket("compare", found)
    table = out.partition("x dense")[2].splitlines()
    dense = next(line for line in table if line.startswith("dense"))
    reinit = next(line for line in table if line.startswith("  unilth, reinit"))
    density = load(found / "ticket.safetensors").density

    assert dense.split()[-1] == "1.00"
    assert reinit.split()[-1] == f"{density:.2f}"
    assert "difference" not in out  # one seed tells no noise


def test_differences_over_three_seeds_are_told_from_noise(ticket: Ticket, tmp_path: Path) -> None:
    flags = ("--model", "mlp-2", "--controls", "dense", "--runs", tmp_path, *TASK[:-3], "--quiet")
    for seed in range(3):
        code, _, err = ticket(
            "find", "--method", "random", "--sparsity", "0.9", "--seed", seed, *flags
        )
        assert (code, err) == (0, "")
    runs = sorted(tmp_path.iterdir())
    _, out, _ = ticket("compare", *runs)
    _, told, _ = ticket("compare", *runs, "--json")
    rows, (difference,) = (json.loads(told)[key] for key in ("rows", "differences"))
    one, other = (rows[number]["test_at_end"] for number in difference["rows"])

    assert difference["test_at_end"] == pytest.approx(one["mean"] - other["mean"])
    assert difference["noise"] == max(one["stdev"], other["stdev"])
    assert difference["exceeds_noise"] is (abs(difference["test_at_end"]) > difference["noise"])
    line = next(line for line in out.splitlines() if line.startswith("dense - random"))
    assert f"{100 * difference['test_at_end']:+.2f}" in line
    assert ("exceeds it" in line) is difference["exceeds_noise"]


@pytest.mark.parametrize("name", ["plot.txt", "plot"])
def test_a_plot_of_no_kind_is_refused(ticket: Ticket, found: Path, name: str) -> None:
    code, out, err = ticket("compare", found, "--plot", name)

    assert (code, out) == (2, "")
    assert ".png, .svg, .pdf" in err


def test_a_plot_without_matplotlib_says_what_it_wants(
    ticket: Ticket, found: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticket_cli.plots.find_spec", lambda name: None)
    code, out, err = ticket("compare", found, "--plot", tmp_path / "plot.png")

    assert (code, out) == (1, "")
    assert err == "Error: --plot wants matplotlib: pip install 'ticket[plots]'\n"


def test_a_plot_is_drawn_where_matplotlib_is_installed(
    ticket: Ticket, found: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    for name, begins in (("plot.png", b"\x89PNG"), ("plot.svg", b"<?xml"), ("plot.pdf", b"%PDF")):
        code, _, err = ticket("compare", found, "--plot", tmp_path / name)
        assert (code, err) == (0, "")
        assert (tmp_path / name).read_bytes().startswith(begins)
