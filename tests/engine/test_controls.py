"""A control differs from the ticket in the one thing it is there to show, and in nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ticket.controls import has_dense_baseline
from ticket.errors import TicketError, UsageError
from ticket.finding import Finding, find_one
from ticket.recipe import read_recipe, recipe_document
from ticket.request import Request, prepare
from ticket.tickets import Ticket, load

Make = Callable[..., Request]


def control(found: Finding, name: str, number: int) -> Ticket:
    folder = found.folder / "controls" / f"{name}-{number:02d}"
    return load(folder / "ticket.safetensors")


def per_layer(ticket: Ticket) -> dict[str, int]:
    return {name: int(mask.sum()) for name, mask in ticket.masks.items()}


@pytest.fixture(scope="module")
def found(request_in: Make, tmp_path_factory: pytest.TempPathFactory) -> Finding:
    controls = ("reinit", "random", "oneshot", "dense")
    folder = tmp_path_factory.mktemp("runs")
    return find_one(request_in(folder, keep="all", controls=controls, recipe={"rounds": 3}))


def test_reinit_keeps_the_masks_and_draws_other_weights(found: Finding) -> None:
    made, ticket = control(found, "reinit", 3), found.ticket
    for name, mask in ticket.masks.items():
        assert torch.equal(made.masks[name], mask)
        assert not (made.state[name] == ticket.state[name])[mask].any()


def test_random_keeps_the_counts_and_takes_other_places(found: Finding) -> None:
    made, ticket = control(found, "random", 3), found.ticket
    assert per_layer(made) == per_layer(ticket)
    assert not torch.equal(made.masks["fc1.weight"], ticket.masks["fc1.weight"])
    both = made.masks["fc1.weight"] & ticket.masks["fc1.weight"]
    assert not (made.state["fc1.weight"] == ticket.state["fc1.weight"])[both].any()


def test_reinit_and_random_draw_apart(found: Finding) -> None:
    one, other = control(found, "reinit", 3), control(found, "random", 3)
    both = one.masks["fc1.weight"] & other.masks["fc1.weight"]
    assert both.any()
    assert not (one.state["fc1.weight"] == other.state["fc1.weight"])[both].any()


def test_oneshot_cuts_the_trained_dense_network_to_the_same_counts(found: Finding) -> None:
    made = control(found, "oneshot", 3)
    assert per_layer(made) == per_layer(found.ticket)
    dense = load(found.folder / "round-00" / "trained-0.safetensors")
    origin = load(found.folder / "round-00" / "ticket.safetensors")
    for name, mask in made.masks.items():
        sizes = dense.state[name].abs()
        assert sizes[~mask].max() <= sizes[mask].min()
        assert torch.equal(made.state[name][mask], origin.state[name][mask])


def test_dense_is_dense_and_is_what_round_0_trained(found: Finding) -> None:
    made = control(found, "dense", 0)
    origin = load(found.folder / "round-00" / "ticket.safetensors")
    assert made.density == 1
    assert all(torch.equal(value, origin.state[name]) for name, value in made.state.items())
    assert found.dense == found.rounds[0]["trainings"][0]


def test_controls_are_told_with_their_round(found: Finding) -> None:
    told = [(c["control"], c["at_round"], c["kept"]) for c in found.controls]
    kept = found.ticket.kept
    assert told == [
        ("reinit", 3, kept),
        ("random", 3, kept),
        ("oneshot", 3, kept),
        ("dense", 0, 160),
    ]
    assert found.control("reinit") == found.controls[0]["trainings"][-1]
    assert found.control("same") is None


def test_controls_train_as_long_as_the_ticket(found: Finding) -> None:
    assert {c["trainings"][-1]["iterations"] for c in found.controls} == {20}


def test_a_control_asked_for_later_is_added_and_changes_nothing(request_for: Make) -> None:
    request = request_for()
    first = find_one(request)
    before = {p: p.read_bytes() for p in first.folder.glob("*.safetensors")}
    later = find_one(replace(request, controls=("reinit",), control_rounds=(1, 2)))
    assert later.folder == first.folder
    assert [(c["control"], c["at_round"]) for c in later.controls] == [("reinit", 1), ("reinit", 2)]
    assert {p: p.read_bytes() for p in before} == before


def test_controls_at_other_rounds_draw_apart(request_for: Make) -> None:
    found = find_one(request_for(controls=("reinit",), control_rounds=(1, 2)))
    one, two = control(found, "reinit", 1), control(found, "reinit", 2)
    both = one.masks["fc1.weight"] & two.masks["fc1.weight"]
    assert not (one.state["fc1.weight"] == two.state["fc1.weight"])[both].any()


def test_a_control_of_a_late_ticket_trains_in_full_from_step_0(request_for: Make) -> None:
    """New weights have not lived through the first steps; without a warm-up they would do worse."""
    found = find_one(request_for(rewind="5it", controls=("reinit", "random"), recipe={"rounds": 1}))
    assert found.ticket.record["start"] == 5
    assert [c["trainings"][-1]["iterations"] for c in found.controls] == [20, 20]


def test_a_round_that_does_not_exist_is_refused_before_anything_trains(
    request_for: Make, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="--control-rounds 9: this run has rounds 0 to 2"):
        find_one(request_for(controls=("reinit",), control_rounds=(9,)))
    assert not list(tmp_path.rglob("checkpoint.safetensors"))
    assert not list(tmp_path.rglob("metrics.jsonl"))


def test_a_ticket_that_was_not_kept_is_named(request_for: Make) -> None:
    with pytest.raises(
        TicketError, match=r"round-01/ticket\.safetensors was not kept.*--keep tickets"
    ):
        find_one(request_for(keep="last", controls=("reinit",), control_rounds=(1,)))


@pytest.mark.parametrize("method", ["lth", "unilth"])
def test_the_last_round_can_have_controls_when_only_it_is_kept(
    request_for: Make, method: str
) -> None:
    found = find_one(request_for(method=method, keep="last", controls=("reinit",)))
    assert found.control("reinit") is not None
    assert found.dense is not None


@pytest.mark.parametrize(
    ("method", "has"),
    [
        ("lth", True), ("lth-global", True), ("finetune", True), ("kd", True), ("greg1", True),
        ("unilth", False), ("unidlth", False), ("dlth", False), ("random", False),
    ],
)  # fmt: skip
def test_round_0_is_the_baseline_if_it_trains_as_the_task_says_or_as_the_ticket_is(
    method: str, has: bool
) -> None:
    recipe, _ = read_recipe(recipe_document(method))
    assert has_dense_baseline(recipe) is has


def test_a_method_without_a_baseline_of_its_own_trains_one_when_controls_are_asked(
    request_for: Make,
) -> None:
    request = request_for(method="unilth")
    assert find_one(request).dense is None
    found = find_one(replace(request, controls=("reinit",)))
    assert found.dense is not None
    alone = find_one(request_for(method="dense"))
    assert found.dense["iterations"] == alone.final["iterations"] == 20
    origin = prepare(request).task.network(0, "init").state_dict()
    dense = control(found, "dense", 0)
    assert all(torch.equal(dense.state[name], value) for name, value in origin.items())
