"""`ticket verify` names what does not hold and leaves with 3; what it cannot check, it says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ticket import kernels, ticket_file
from ticket.tickets import load

Ticket = Callable[..., tuple[int, str, str]]
TASK = (
    *("--dataset", "synthetic", "--set", "dataset.examples=80", "--set", "dataset.size=4"),
    *("--optimizer", "sgd", "--lr", "0.1", "--batch-size", "16"),
    *("--steps", "20", "--eval-every", "5it", "--rounds", "1", "--quiet"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a runs folder: a ticket of mlp-2, its transform to mlp-3, the training of that."""
    from ticket_cli.main import run

    runs = tmp_path_factory.mktemp("made") / "runs"
    for arguments in (
        ["find", "--method", "lth", "--model", "mlp-2", "--runs", runs, *TASK],
        ["transform", "--from", "mlp-2", "--to", "mlp-3", "--runs", runs],
        ["train", "mlp-3", "--runs", runs, "--quiet"],
    ):
        assert run([str(argument) for argument in arguments]) == 0
    return runs


def one(runs: Path, pattern: str) -> Path:
    (path,) = runs.glob(pattern)
    return path


def add_to_bias(path: Path) -> None:
    """Change a ticket's first bias and write it whole."""
    ticket = load(path)
    name = next(n for n in ticket.state if n.endswith("bias"))
    tensors = {f"mask.{n}": kernels.pack_bits(m) for n, m in ticket.masks.items()}
    state = {**ticket.state, name: ticket.state[name] + 1}
    document, _ = ticket_file.read(path)
    path.write_bytes(
        ticket_file.encode(document, tensors | {f"state.{n}": t for n, t in state.items()})
    )


def test_a_run_that_holds_is_told_check_by_check(ticket: Ticket, found: Path) -> None:
    code, out, err = ticket("verify", found)
    lines = [line.split()[:2] for line in out.splitlines() if line]

    assert (code, err) == (0, "")
    assert ["counts", "held"] in lines
    assert ["survivors", "held"] in lines
    assert ["replay", "not"] in lines
    assert "find with --keep all keeps them" in out
    assert "Every claim that was checked holds" in out


def test_a_round_is_carried_out_again_when_asked_for(ticket: Ticket, found: Path) -> None:
    code, out, _ = ticket("verify", found, "--replay", "2", "--quiet", "--json")
    document: dict[str, Any] = json.loads(out)
    replayed = [c for c in document["checks"] if c["check"] == "replay"]

    assert (code, document["held"]) == (0, True)
    assert replayed == [{"check": "replay", "subject": "round 2", "state": "held", "text": ""}]


def test_a_claim_that_does_not_hold_is_named_with_exit_code_3(
    ticket: Ticket, found: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(found, tmp_path / found.name))
    add_to_bias(run / "round-01" / "ticket.safetensors")
    code, out, err = ticket("verify", run)

    assert (code, err.count("\n")) == (3, 1)
    assert "survivors (round 1)" in err
    assert "Does not hold:\n  survivors, round 1:" in out
    failing = [line.split()[0] for line in out.splitlines() if " FAILED " in line]
    assert failing == ["survivors"]
    assert "Every claim" not in out


def test_the_document_tells_a_failure_too(ticket: Ticket, found: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(found, tmp_path / found.name))
    path = run / "trained.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    code, out, err = ticket("verify", run, "--json")
    document = json.loads(out)

    assert (code, document["held"]) == (3, False)
    assert [c["check"] for c in document["checks"] if c["state"] == "failed"] == ["files"]
    assert "trained.safetensors" in err


def test_a_transformed_ticket_and_its_training_are_held_against_their_parents(
    ticket: Ticket, made: Path
) -> None:
    for pattern in ("mlp-3-*elastic*", "mlp-3-*train*"):
        code, out, err = ticket("verify", one(made, pattern), "--runs", made, "--json")
        parents = [c for c in json.loads(out)["checks"] if c["check"] == "parent"]

        assert (code, err) == (0, "")
        assert [c["state"] for c in parents] == ["held"]
    run = one(made, "mlp-3-*train*")
    code, out, _ = ticket("verify", run, "--runs", made, "--replay", "0", "--json", "--quiet")
    assert code == 0
    assert ("replay", "held") in {(c["check"], c["state"]) for c in json.loads(out)["checks"]}


@pytest.mark.parametrize("pattern", ["mlp-3-*elastic*/ticket", "mlp-3-*train*/round-00/ticket"])
def test_a_ticket_that_is_its_parents_no_more_is_found_out(
    ticket: Ticket, made: Path, tmp_path: Path, pattern: str
) -> None:
    runs = Path(shutil.copytree(made, tmp_path / "runs"))
    path = one(runs, f"{pattern}.safetensors")
    add_to_bias(path)
    code, _, err = ticket("verify", runs / path.relative_to(runs).parts[0], "--runs", runs)

    assert code == 3
    assert "parent" in err


def test_a_parent_that_is_not_there_is_asked_for(
    ticket: Ticket, made: Path, tmp_path: Path
) -> None:
    run, source = one(made, "mlp-3-*elastic*"), one(made, "mlp-2-*") / "ticket.safetensors"
    code, out, _ = ticket("verify", run, "--runs", tmp_path)
    named, told, _ = ticket("verify", run, "--runs", tmp_path, "--parent", source)
    other = run / "ticket.safetensors"
    wrong, _, err = ticket("verify", run, "--runs", tmp_path, "--parent", other)

    assert (code, named, wrong) == (0, 0, 3)
    assert "--parent names it" in out
    assert "--parent names it" not in told
    assert "is not it: SHA-256" in err


def test_a_run_that_is_not_finished_is_checked_as_far_as_it_is(
    ticket: Ticket, found: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(found, tmp_path / found.name))
    for name in ("figures.json", "ticket.safetensors", "trained.safetensors"):
        (run / name).unlink()
    code, out, _ = ticket("verify", run)

    assert code == 0
    assert "accuracy; streams: the run is not finished" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing",), "no ticket for 'nothing'"),
        (("{run}", "--replay", "9"), "--replay 9"),
        (("{ticket}", "--replay", "0"), "is a ticket's file"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    ticket: Ticket, found: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    alone = shutil.copy(found / "ticket.safetensors", tmp_path / "alone.safetensors")
    places = {"run": found, "ticket": alone}
    typed = (argument.format(**places) for argument in arguments)
    code, out, err = ticket("verify", *typed, "--runs", tmp_path)

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


@pytest.mark.parametrize("text", ["nothing: [", "model: 3\n", ""])
def test_a_configuration_that_cannot_be_read_is_no_crash(
    ticket: Ticket, found: Path, tmp_path: Path, text: str
) -> None:
    run = Path(shutil.copytree(found, tmp_path / found.name))
    (run / "config.yaml").write_text(text)
    code, out, err = ticket("verify", run)

    assert code in (0, 1, 3)
    assert "defect" not in err
    assert "config.yaml" in out + err or "model" in out + err
