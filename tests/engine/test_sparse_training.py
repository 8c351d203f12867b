"""Runs whose masks change in training: what the ticket is, what is trained, what the record says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ticket.finding import Finding, find_one
from ticket.request import Request
from ticket.ticket_training import Where, train_ticket
from ticket.tickets import Ticket, load

Make = Callable[..., Request]
ONCE = {"rounds": 1, "sparsity": 0.6}


def found_by(make: Make, method: str, phase: int, **fields: Any) -> Finding:
    every = ((f"recipe.round.{phase}.train.mask_every", "4it"),)
    return find_one(make(method=method, sets=every, recipe=ONCE, **fields))


def per_layer(ticket: Ticket) -> dict[str, int]:
    return {name: int(mask.count_nonzero()) for name, mask in ticket.masks.items()}


def test_rigls_ticket_is_the_network_where_its_masks_come_to_rest(request_for: Make) -> None:
    found = found_by(request_for, "rigl", 2)
    start, trained = found.ticket, load(found.folder / "trained.safetensors")
    random = find_one(request_for(method="random-erk", recipe=ONCE)).ticket
    assert per_layer(start) == per_layer(random)
    assert any(not torch.equal(start.masks[n], random.masks[n]) for n in start.masks)
    assert all(torch.equal(start.masks[n], trained.masks[n]) for n in start.masks)
    first, last = found.rounds[0]["trainings"][0], found.final
    assert (first["iterations"], last["iterations"], start.record["start"]) == (15, 5, 15)
    assert first["masks"]["updates"] == 4  # at 0, 4, 8 and 12
    assert first["masks"]["kept"] == start.kept == 64
    assert 0.4 < first["masks"]["explored"] <= 1
    assert "masks" not in last


def test_gmps_cut_finds_nothing_left_to_cut(request_for: Make) -> None:
    found = found_by(request_for, "gmp", 0)
    record = found.rounds[0]
    assert record["mark"]["doomed"] == 0
    assert record["cut"]["before"] == record["cut"]["after"]
    assert record["trainings"][0]["masks"]["kept"] == found.ticket.kept == 64
    assert per_layer(found.ticket) == {"fc1.weight": 51, "output.weight": 13}  # uniform


def test_a_ticket_of_a_paused_training_goes_on_and_its_control_trains_in_full(
    request_for: Make, tmp_path: Path
) -> None:
    found = found_by(request_for, "rigl", 2, controls=("reinit", "dense"))
    assert {c["control"]: c["trainings"][0]["iterations"] for c in found.controls} == {
        "reinit": 20,
        "dense": 20,
    }
    ticket = found.ticket
    again = train_ticket(ticket, ticket.identity(), Where(runs_folder=tmp_path))
    assert again.final["iterations"] == 5
    trained = load(again.folder / "trained.safetensors")
    assert all(torch.equal(ticket.masks[n], trained.masks[n]) for n in ticket.masks)


def test_masks_may_change_in_the_tickets_own_training(request_for: Make, tmp_path: Path) -> None:
    update = {"mask_update": "set", "mask_every": "3it"}
    sets = (("recipe.final.0", {"train": update}),)
    found = find_one(request_for(method="random-erk", sets=sets, recipe=ONCE))
    start, trained = found.ticket, load(found.folder / "trained.safetensors")
    assert per_layer(start) == per_layer(trained)
    assert any(not torch.equal(start.masks[n], trained.masks[n]) for n in start.masks)
    again = train_ticket(start, start.identity(), Where(runs_folder=tmp_path))
    for name in ("updates", "kept"):
        assert again.final["masks"][name] == found.final["masks"][name]


def test_excluded_layers_stay_dense(request_for: Make) -> None:
    sets = (("recipe.exclude", ["output.*"]), ("recipe.round.2.train.mask_every", "4it"))
    found = find_one(request_for(method="rigl", sets=sets, recipe=ONCE))
    assert per_layer(found.ticket) == {"fc1.weight": 32, "output.weight": 32}
    assert found.rounds[0]["trainings"][0]["masks"]["kept"] == 64
