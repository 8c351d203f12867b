"""A ticket tells its ancestors, and claims of their tensors only what is theirs, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from ticket.errors import TicketError, UsageError
from ticket.tickets import Ticket
from ticket.transforming.lineage import (
    after,
    all_of,
    ancestor,
    compare,
    handed,
    same_bits,
)

Make = Callable[..., Any]


def told(ticket: Ticket, **moves: Any) -> Ticket:
    """Return the ticket with moves of its own in its record."""
    whole = {**all_of(ticket), **moves}
    return replace(ticket, record={**ticket.record, "moves": whole})


def flipped(ticket: Ticket, name: str) -> Ticket:
    """Return the ticket with one bit of one weight changed, the lowest of its mantissa."""
    tensor = ticket.state[name].clone()
    first = tuple(tensor.nonzero()[0].tolist())
    bits = tensor.view(torch.int32)
    bits[first] ^= 1
    return replace(ticket, state={**ticket.state, name: tensor})


def test_an_ancestor_says_what_it_is_and_what_finding_it_cost(tower: Make, ticket_of: Make) -> None:
    trained = {"trainings": [{"iterations": 12}, {"iterations": 5}]}
    rounds = [trained, {"trainings": [{"iterations": 8}]}, {"trainings": [{"iterations": 7}]}]
    model = {"name": "tower", "options": {}}
    record = {"model": model, "dataset": "digits", "recipe": {"name": "lth"}, "seeds": {"seed": 5}}
    ticket = ticket_of(tower(), rounds=rounds, **record)
    assert ancestor(ticket, "abc", ["elastic", "shuffle"], 9) == {
        "ticket": "abc",
        "model": model,
        "dataset": "digits",
        "method": "lth",
        "seed": 5,
        "kept": ticket.kept,
        "prunable": ticket.prunable,
        "iterations": 25,  # the last round's training is the ticket's own
        "strategies": ["elastic", "shuffle"],
        "transform_seed": 9,
    }
    bare = ancestor(ticket_of(tower()), "abc", ["elastic"], 0)
    assert (bare["model"], bare["method"], bare["seed"], bare["iterations"]) == (
        None,
        None,
        None,
        0,
    )


def test_a_step_that_says_nothing_has_left_tensors_where_they_were(
    tower: Make, ticket_of: Make
) -> None:
    parent = ticket_of(tower())
    moves = all_of(parent)
    assert after(moves, parent, parent) == moves
    assert after(moves, handed(parent, moves), parent) == moves


def test_a_tensor_changed_without_a_word_is_claimed_no_longer(tower: Make, ticket_of: Make) -> None:
    parent = ticket_of(tower())
    moves = all_of(parent)
    made = flipped(handed(parent, moves), "wide.1.weight")
    assert after(moves, made, parent)["states"].keys() == parent.state.keys() - {"wide.1.weight"}
    masks = {**parent.masks, "wide.1.weight": torch.ones(6, 6, dtype=torch.bool)}
    made = replace(parent, masks=masks)
    assert after(moves, made, parent)["masks"].keys() == parent.masks.keys() - {"wide.1.weight"}
    dense = replace(parent, masks={})
    assert after(moves, dense, parent)["masks"] == {}
    assert after(moves, dense, parent)["states"] == moves["states"]


def test_moves_of_two_steps_are_joined(tower: Make, ticket_of: Make) -> None:
    parent = ticket_of(tower())
    turned = {
        **{f"wide.1.{part}": f"wide.2.{part}" for part in ("weight", "bias")},
        **{f"wide.2.{part}": f"wide.1.{part}" for part in ("weight", "bias")},
    }
    state = {name: parent.state[turned.get(name, name)] for name in parent.state}
    masks = {name: parent.masks[turned.get(name, name)] for name in parent.masks}
    step = {
        "units": {"wide": [0, 2, 1], "narrow": [0, 1]},
        "states": {name: turned.get(name, name) for name in state},
        "masks": {name: turned.get(name, name) for name in masks},
    }
    once = told(replace(parent, state=state, masks=masks), **step)
    moves = after(all_of(parent), once, parent)
    assert moves["units"]["wide"] == [0, 2, 1]
    assert moves["states"]["wide.1.weight"] == "wide.2.weight"

    # The same step again undoes the first, although it says the very same moves.
    twice = after(moves, told(parent, **step), parent)
    assert twice["units"]["wide"] == [0, 1, 2]
    assert twice["states"] == {name: name for name in parent.state}
    assert twice["masks"] == {name: name for name in parent.masks}


def test_what_was_new_before_is_new_after_the_next_step(tower: Make, ticket_of: Make) -> None:
    parent = ticket_of(tower())
    states = {name: name for name in parent.state if not name.startswith("stem")}
    first = after(
        all_of(parent), told(parent, states=states, new=["stem.weight", "stem.bias"]), parent
    )
    assert first["new"] == ["stem.weight", "stem.bias"]
    again = {**states, "stem.weight": "stem.weight", "stem.bias": "stem.bias"}
    second = after(first, told(parent, states=again, new=[]), parent)
    assert sorted(second["new"]) == ["stem.bias", "stem.weight"]
    assert second["states"] == states


@pytest.mark.parametrize("moves", [{}, {"units": []}, {"units": {}, "states": {}, "masks": {}}])
def test_moves_that_are_none_are_refused(tower: Make, ticket_of: Make, moves: object) -> None:
    parent = ticket_of(tower())
    made = replace(parent, record={**parent.record, "moves": moves})
    with pytest.raises(UsageError, match="records its moves as units, states, masks and new"):
        after(all_of(parent), made, parent)


def test_a_check_against_the_parent_finds_one_flipped_bit(tower: Make, ticket_of: Make) -> None:
    parent = ticket_of(tower())
    ticket = told(parent)
    names = [f"state.{n}" for n in parent.state] + [f"mask.{n}" for n in parent.masks]
    found = compare(ticket, parent)
    assert (list(found.equal), found.different, found.own) == (names, (), ())

    found = compare(flipped(ticket, "narrow.1.weight"), parent)
    assert found.different == ("state.narrow.1.weight",)
    assert len(found.equal) == len(names) - 1

    found = compare(ticket, flipped(parent, "stem.weight"))
    assert found.different == ("state.stem.weight",)


def test_a_check_tells_own_tensors_from_false_claims(tower: Make, ticket_of: Make) -> None:
    parent = ticket_of(tower())
    states = {"stem.weight": "stem.weight", "gone.weight": "stem.weight", "stem.bias": "gone.bias"}
    found = compare(told(parent, states=states, masks={}), parent)
    assert found.equal == ("state.stem.weight",)
    assert found.different == ("state.stem.bias", "state.gone.weight")
    own = [f"state.{n}" for n in parent.state if n not in ("stem.weight", "stem.bias")]
    assert list(found.own) == own + [f"mask.{n}" for n in parent.masks]


def test_a_ticket_without_moves_cannot_be_checked(tower: Make, ticket_of: Make) -> None:
    parent = ticket_of(tower())
    with pytest.raises(TicketError, match="does not record which tensors come from its parent"):
        compare(parent, parent)


def test_bits_are_the_same_where_numbers_are_not_and_the_other_way_round() -> None:
    nan, zero = torch.tensor([float("nan")]), torch.tensor([0.0])
    assert same_bits(nan, nan.clone())
    assert not same_bits(zero, -zero)
    assert not same_bits(zero, zero.double())
    assert not same_bits(zero, torch.zeros(1, 1))
    assert same_bits(torch.tensor(7), torch.tensor(7))
    assert same_bits(torch.arange(6.0).reshape(2, 3).t(), torch.tensor([[0.0, 3], [1, 4], [2, 5]]))
