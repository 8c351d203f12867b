"""A transform makes a whole ticket of a ticket, and the same stream gives the same one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ticket.masks import dense_masks, prunable
from ticket.registry import installed
from ticket.seeds import stream
from ticket.tickets import Ticket, create
from ticket.transforming import Given
from ticket.uses import bind, read_use

TRANSFORMS = [plugin.name for plugin in installed("transforms")]


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))


def given(seed: int = 0) -> Given:
    return Given(lambda: network(0), lambda: network(7), lambda: network(9), stream(seed, "masks"))


@pytest.fixture
def ticket() -> Ticket:
    model = network(0)
    masks = dense_masks(model)
    masks["1.weight"][:, 4:] = False
    masks["3.weight"][0] = False
    return create(model, masks, record={"start": 0, "rounds": [{"kept": 56}], "parent": None})


def equal(one: Ticket, other: Ticket) -> bool:
    return one.identity() == other.identity()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_gives_a_ticket_for_the_network_and_leaves_the_given_one(
    name: str, ticket: Ticket
) -> None:
    before = ticket.identity()
    transform = bind(read_use("transforms", name))
    made = transform(ticket, given())
    made.apply(network(3))  # raises where they do not fit
    assert ticket.identity() == before
    assert equal(transform(ticket, given()), made)
    assert made.kept in (ticket.kept, 160)


def test_only_random_depends_on_the_stream(ticket: Ticket) -> None:
    for name in TRANSFORMS:
        transform = bind(read_use("transforms", name))
        same = equal(transform(ticket, given(0)), transform(ticket, given(1)))
        assert same is (name != "random"), name


def test_oneshot_keeps_the_largest_of_the_dense_network(ticket: Ticket) -> None:
    made = bind(read_use("transforms", "oneshot"))(ticket, given())
    trained = prunable(network(9))
    for name, mask in made.masks.items():
        size = trained[name].detach().abs()
        assert int(mask.sum()) == int(ticket.masks[name].sum())
        assert size[mask].min() >= size[~mask].max()
        assert torch.equal(made.state[name][mask], network(0).state_dict()[name][mask])
