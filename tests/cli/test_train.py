"""`ticket train` trains the ticket it is given; `ticket eval` reads back what the run reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ticket.tickets import load

Ticket = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("part", ["test", "train"])
def test_eval_of_the_trained_ticket_is_exactly_what_find_reported(
    ticket: Ticket, found: Path, part: str
) -> None:
    _, out, _ = ticket("eval", found, "--part", part, "--json")
    figures = json.loads((found / "figures.json").read_text())
    end = figures["rounds"][-1]["trainings"][-1]["end"]

    assert json.loads(out)["accuracy"] == end[f"{part}_accuracy"]
    assert json.loads(out)["loss"] == end[f"{part}_loss"]
    assert json.loads(out)["ticket"] == str(found / "trained.safetensors")


def test_train_writes_a_trained_ticket_that_eval_reads_back(
    ticket: Ticket, found: Path, tmp_path: Path
) -> None:
    path = found / "ticket.safetensors"
    code, out, _ = ticket("train", path, "--runs", tmp_path, "--json", "--quiet")
    (finding,) = json.loads(out)["findings"]
    _, read, _ = ticket("eval", finding["trained"], "--json")
    trained, given = load(Path(finding["trained"])), load(path)

    assert code == 0
    assert (
        json.loads(read)["accuracy"]
        == finding["rounds"][-1]["trainings"][-1]["end"]["test_accuracy"]
    )
    assert all(bool((trained.masks[name] == mask).all()) for name, mask in given.masks.items())


def test_a_ticket_is_trained_as_long_as_its_record_says(
    ticket: Ticket, found: Path, tmp_path: Path
) -> None:
    ticket("train", found, "--runs", tmp_path, "--quiet")
    (run,) = tmp_path.iterdir()
    ends = [
        json.loads((folder / "figures.json").read_text())["rounds"][-1]["trainings"][-1][
            "iterations"
        ]
        for folder in (run, found)
    ]

    assert ends == [20, 20]


def test_train_takes_flags_seeds_and_controls(ticket: Ticket, found: Path, tmp_path: Path) -> None:
    flags = (
        "--steps",
        "10",
        "--momentum",
        "0.5",
        "--replicates",
        "2",
        "--controls",
        "dense,reinit",
    )
    code, out, err = ticket("train", found, "--runs", tmp_path, *flags)

    assert (code, err) == (0, "")
    assert "Verdict: undecided - 2 of 3 seeds" in out
    assert [line.split()[0] for line in out.splitlines() if "±" in line][:3] == [
        "ticket",
        "dense",
        "reinit",
    ]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_control_that_cannot_be_made_is_refused_before_the_ticket_trains(
    ticket: Ticket, found: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    code, out, err = ticket("train", found, "--runs", runs, "--controls", "reinit,shuffle")

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "control 'shuffle' cannot be made of this ticket: " in err
    assert not runs.exists()


def test_a_models_name_means_its_newest_ticket(ticket: Ticket, found: Path) -> None:
    code, out, _ = ticket("eval", "mlp", "--runs", found.parent)

    assert code == 0
    assert str(found) in out


@pytest.mark.parametrize("verb", ["train", "eval", "show"])
def test_without_a_ticket_the_message_says_how_to_make_one(
    ticket: Ticket, tmp_path: Path, verb: str
) -> None:
    code, _, err = ticket(verb, "lenet-300-100", "--runs", tmp_path)

    assert (code, err.count("\n")) == (2, 1)
    assert "ticket find --method lth --model lenet-300-100" in err


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"\x00\x00\x00\x40\x00\x00\x00\x00{}"])
@pytest.mark.parametrize("verb", ["train", "eval", "show"])
def test_a_file_that_is_no_ticket_is_one_line(
    ticket: Ticket, tmp_path: Path, verb: str, content: bytes
) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    code, _, err = ticket(verb, path)

    assert (code, err.count("\n")) == (1, 1)
    assert str(path) in err


def test_a_teacher_is_named_on_the_command_line(
    ticket: Ticket, found: Path, tmp_path: Path
) -> None:
    flags = ("--runs", tmp_path, "--teacher", found, "--json", "--quiet")
    _, out, _ = ticket("train", found, *flags)
    _, warm, _ = ticket("train", found, *flags, "--temperature", "1", "--mixture", "0.5")
    folders = [Path(json.loads(text)["findings"][0]["folder"]) for text in (out, warm)]
    losses = [load(folder / "ticket.safetensors").record["training"]["loss"] for folder in folders]
    assert losses == [
        "distillation", {"name": "distillation", "temperature": 1.0, "mixture": 0.5}
    ]  # fmt: skip
    code, _, err = ticket("train", found, "--temperature", "2")
    assert code == 2
    assert "say whose with --teacher" in err


def test_what_is_asked_for_goes_before_the_recipes_final_phase(
    ticket: Ticket, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    """finetune's last phase has a rate and a schedule of its own."""
    code, _, _ = ticket("find", "--method", "finetune", "--runs", tmp_path, "--quiet", *tiny)
    assert code == 0
    flags = ("--runs", tmp_path, "--lr", "0.5", "--schedule", "cosine", "--json", "--quiet")
    (run,) = tmp_path.iterdir()
    _, out, _ = ticket("train", run, *flags)
    record = load(Path(json.loads(out)["findings"][0]["trained"])).record
    assert (record["training"]["lr"], record["training"]["schedule"]) == (0.5, "cosine")
    assert record["recipe"]["final"] == [{"train": {"warmup": "0it"}}]


def test_eval_tells_classes_and_calibration(ticket: Ticket, found: Path) -> None:
    _, out, _ = ticket("eval", found, "--per-class")
    _, plain, _ = ticket("eval", found)
    _, text, _ = ticket("eval", found, "--json")
    document = json.loads(text)
    assert len(document["per_class"]) == 4
    assert 0 <= document["calibration_error"] <= 1
    assert f"calibration error {100 * document['calibration_error']:.2f} %" in plain
    rows = [line.rsplit(maxsplit=1) for line in out.splitlines()[-4:]]
    assert [row[0] for row in rows] == list(document["per_class"])
    assert [row[1] for row in rows] == [f"{100 * v:.2f}" for v in document["per_class"].values()]
    assert len(plain.splitlines()) == 2
    code, _, err = ticket("eval", found, "--reestimate-batchnorm")
    assert (code, "no BatchNorm statistics" in err) == (2, True)


def test_controls_are_trained_by_any_schedule(ticket: Ticket, found: Path, tmp_path: Path) -> None:
    names = ("reinit", "random", "shuffled-mask")
    flags = ("--schedule", "cosine", "--lr", "0.05", "--steps", "30")
    _, out, _ = ticket(
        "train", found, "--controls", ",".join(names), *flags, "--runs", tmp_path, "--json", "-q"
    )
    (finding,) = json.loads(out)["findings"]
    assert [c["control"] for c in finding["controls"]] == list(names)
    assert {c["trainings"][-1]["iterations"] for c in finding["controls"]} == {30}
    start = load(found / "ticket.safetensors")
    for name in names:
        made = load(Path(finding["folder"]) / "controls" / f"{name}-00" / "ticket.safetensors")
        assert made.record["training"]["schedule"] == "cosine"
        for key, mask in start.masks.items():
            assert int(made.masks[key].sum()) == int(mask.sum())
            same = bool((made.masks[key] == mask).all())
            assert same is (name == "reinit")
            both = mask & made.masks[key]
            kept = bool((made.state[key][both] == start.state[key][both]).all())
            assert kept is (name == "shuffled-mask")
