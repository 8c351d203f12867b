"""What `show`, `compare` and `stability` print of analyses is what the files hold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ticket.tickets import load

Ticket = Callable[..., tuple[int, str, str]]


def document(out: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(out)
    return read


def test_layers_tell_how_much_lies_on_a_path(ticket: Ticket, found: Path) -> None:
    _, out, _ = ticket("show", found, "--layers")
    _, told, _ = ticket("show", found, "--layers", "--json")
    masks = load(found / "ticket.safetensors").masks
    hidden = masks["fc1.weight"].any(1) & masks["output.weight"].any(0)
    connected = document(told)["connected"]

    assert "on a path" in out
    assert connected["fc1.weight"] == int(masks["fc1.weight"][hidden].sum())
    assert connected["output.weight"] == int(masks["output.weight"][:, hidden].sum())
    assert "collapse" not in out


def test_a_collapsed_ticket_is_told_before_it_is_trained(
    ticket: Ticket, found: Path, tmp_path: Path
) -> None:
    one = load(found / "ticket.safetensors")
    one.masks["output.weight"][:] = False
    one.state["output.weight"][:] = 0.0
    path = tmp_path / "collapsed.safetensors"
    one.save(path)
    code, out, _ = ticket("show", path, "--layers")

    assert code == 0
    assert "Layer collapse: no signal gets from input to output" in out


def test_distance_is_from_the_ticket_to_its_training(ticket: Ticket, found: Path) -> None:
    code, out, _ = ticket("show", found, "--distance", "--json")
    moved = document(out)["distance"]
    start, end = (load(found / f"{name}.safetensors") for name in ("ticket", "trained"))
    squares = {
        n: float((end.state[n] - start.state[n]).double().square().sum()) for n in start.masks
    }

    assert code == 0
    assert moved["all"]["kept"] == start.kept
    assert moved["fc1.weight"]["distance"] == pytest.approx(squares["fc1.weight"] ** 0.5)
    assert moved["all"]["distance"] == pytest.approx(sum(squares.values()) ** 0.5)
    assert "over the start's" in ticket("show", found, "--distance")[1]


def test_distance_wants_a_training(ticket: Ticket, found: Path, tmp_path: Path) -> None:
    alone = shutil.copy(found / "ticket.safetensors", tmp_path / "alone.safetensors")
    code, out, err = ticket("show", alone, "--distance")

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "wants a run with a trained ticket" in err


def test_masks_of_two_tickets_are_set_side_by_side(ticket: Ticket, found: Path) -> None:
    one, other = found / "round-01" / "ticket.safetensors", found / "ticket.safetensors"
    code, out, _ = ticket("compare", found, one, "--masks", "--json")
    (pair,) = document(out)["masks"]
    masks = load(one).masks, load(other).masks
    both = {name: int((m & masks[1][name]).sum()) for name, m in masks[0].items()}

    assert code == 0
    assert {n: a["both"] for n, a in pair["layers"].items() if n != "all"} == both
    assert pair["layers"]["all"]["overlap"] == 1.0  # nested
    assert pair["layers"]["all"]["sign_agreement"] == 1.0  # both are at iteration 0
    assert "above chance" in ticket("compare", found, one, "--masks")[1]


def test_one_ticket_alone_has_no_overlap(ticket: Ticket, found: Path) -> None:
    code, _, err = ticket("compare", found, "--masks")

    assert (code, err.count("\n")) == (2, 1)
    assert "two or more" in err


def test_stability_trains_copies_and_draws_a_line(
    ticket: Ticket, found: Path, tmp_path: Path
) -> None:
    arguments = ("stability", found, "--runs", tmp_path, "--points", "3", "--quiet")
    code, out, err = ticket(*arguments, "--json")
    told = document(out)
    (line,) = told["lines"]
    copies = [load(Path(copy) / "trained.safetensors") for copy in told["copies"]]

    assert (code, err) == (0, "")
    assert (told["start"], len(copies)) == (0, 2)
    assert line["shares"] == [0.0, 0.5, 1.0]
    ends = [1 - error for error in (line["test_error"][0], line["test_error"][-1])]
    assert ends == pytest.approx(told["test_accuracy"])  # no BatchNorm: the copies themselves
    assert not torch.equal(copies[0].state["fc1.weight"], copies[1].state["fc1.weight"])
    refused, _, said = ticket("verify", told["copies"][0], "--runs", tmp_path)
    assert (refused, "a copy that `ticket stability` trained" in said) == (2, True)
    again, text, _ = ticket(*arguments)
    assert again == 0
    assert f"{100 * line['barrier']:.2f}" in text


def test_the_dense_network_and_a_round_can_be_asked_for(
    ticket: Ticket, found: Path, tmp_path: Path
) -> None:
    arguments = ("stability", found, "--runs", tmp_path, "--points", "2", "--quiet", "--json")
    _, dense, _ = ticket(*arguments, "--dense")
    _, first, _ = ticket(*arguments, "--round", "1")
    rounds = json.loads((found / "figures.json").read_text())["rounds"]

    assert document(dense)["density"] == 1.0
    assert document(first)["density"] == rounds[1]["density"]
    for wrong, said in ((("--dense", "--round", "1"), "give one"), (("--round", "9"), "--keep")):
        code, out, err = ticket(*arguments, *wrong)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert said in err
