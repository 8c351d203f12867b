"""A transform makes a whole ticket of a ticket, and the same stream gives the same one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from ticket.batches import Examples
from ticket.errors import UsageError
from ticket.masks import dense_masks, prunable
from ticket.registry import installed
from ticket.seeds import stream
from ticket.tickets import Ticket, create
from ticket.transforming import Given
from ticket.transforming.surveying import surveyor
from ticket.uses import bind, read_use
from ticket_plugins.transforms.controls import random, reinit, shuffle
from ticket_plugins.transforms.elastic import elastic

TRANSFORMS = [plugin.name for plugin in installed("transforms")]


class Tower(nn.Module):
    """Put `layers` linear layers of 8 units in a row; those after the first can be repeated."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16, 8), *(nn.Linear(8, 8) for _ in range(layers - 1)))
        self.norm = nn.BatchNorm1d(8)
        self.output = nn.Linear(8, 4)
        self.units = {"stage1": [f"layers.{i}" for i in range(layers)]}

    def forward(self, images: Tensor) -> Tensor:
        for layer in self.layers:
            images = layer(images).relu()
        logits: Tensor = self.output(self.norm(images))
        return logits


def examples() -> Examples:
    """Return 64 points of 16 numbers in 4 classes."""
    torch.manual_seed(5)
    one, zero = torch.ones(()), torch.zeros(())
    return Examples(torch.randn(64, 16), torch.arange(64) % 4, one, zero)


EXAMPLES = examples()


def network(seed: int, layers: int = 3) -> nn.Module:
    torch.manual_seed(seed)
    return Tower(layers)


def given(seed: int = 0, layers: int = 3) -> Given:
    """Give the network of three layers, and one of `layers` as the target."""
    generator = stream(seed, "masks")
    return Given(
        origin=lambda: network(0),
        own=lambda: network(0),
        fresh=lambda: network(7, layers),
        dense=lambda: network(9),
        generator=generator,
        name=f"tower{layers}",
        find=cut_at_once,
        survey=surveyor(lambda: (EXAMPLES, 2), generator),
    )


def cut_at_once(ticket: Ticket, state: Mapping[str, Tensor], recipe: str) -> Ticket:
    """Stand in for the run of a recipe: what it would lead to, its weights twice as large."""
    assert recipe in ("dlth", "unidlth")
    grown = {name: 2 * tensor for name, tensor in state.items()}
    return create(network(0), ticket.masks, record=ticket.record, state=grown)


@pytest.fixture
def ticket() -> Ticket:
    """Return a ticket of which layer 2 is a copy of layer 1, as the record says."""
    model = network(0)
    model.get_buffer("norm.running_mean").fill_(0.5)
    masks = dense_masks(model)
    masks["layers.0.weight"][:, 4:] = False
    masks["layers.1.weight"][1:6] = False
    masks["layers.2.weight"] = masks["layers.1.weight"]
    masks["output.weight"][0] = False
    sources = {**{name: name for name in masks}, "layers.2.weight": "layers.1.weight"}
    moves = {"units": {}, "states": {}, "masks": sources, "new": []}
    record = {"start": 90, "rounds": [{"kept": 56}], "parent": None, "moves": moves}
    return create(model, masks, record=record)


def equal(one: Ticket, other: Ticket) -> bool:
    return one.identity() == other.identity()


def counts(ticket: Ticket) -> dict[str, int]:
    return {name: int(mask.sum()) for name, mask in ticket.masks.items()}


def assert_masked_anew(made: Ticket, before: Ticket, fresh: nn.Module, names: set[str]) -> None:
    """Check that `names` have other masks, old weights where old ones were kept, else fresh ones."""
    assert counts(made) == counts(before)
    assert {n for n, m in made.masks.items() if not torch.equal(m, before.masks[n])} == names
    new = fresh.state_dict()
    for name, tensor in made.state.items():
        wanted = before.state[name]
        if name in names:
            wanted = torch.where(before.masks[name], wanted, new[name]) * made.masks[name]
        assert torch.equal(tensor, wanted), name


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
    assert made.kept in (ticket.kept, ticket.prunable)


def test_only_random_and_shuffle_depend_on_the_stream(ticket: Ticket) -> None:
    for name in TRANSFORMS:
        transform = bind(read_use("transforms", name))
        same = equal(transform(ticket, given(0)), transform(ticket, given(1)))
        # copy-and-snip draws examples, but three units feed the copy here: its choice is their 24 weights
        assert same is (name not in ("random", "shuffle", "shuffled-mask")), name


def test_oneshot_keeps_the_largest_of_the_dense_network(ticket: Ticket) -> None:
    made = bind(read_use("transforms", "oneshot"))(ticket, given())
    trained = prunable(network(9))
    for name, mask in made.masks.items():
        size = trained[name].detach().abs()
        assert int(mask.sum()) == int(ticket.masks[name].sum())
        assert size[mask].min() >= size[~mask].max()
        assert torch.equal(made.state[name][mask], network(0).state_dict()[name][mask])


def test_random_permutes_each_mask_by_the_stream_and_starts_anew(ticket: Ticket) -> None:
    made = random(ticket, given(5))
    generator, fresh = stream(5, "masks"), network(7).state_dict()
    for name, mask in ticket.masks.items():
        order = torch.randperm(mask.numel(), generator=generator)
        assert torch.equal(made.masks[name], mask.flatten()[order].reshape(mask.shape))
        fresh[name] = fresh[name] * made.masks[name]
    assert all(torch.equal(made.state[name], fresh[name]) for name in fresh)
    assert made.record["start"] == 0
    assert equal(made, bind(read_use("transforms", "random"))(ticket, given(5)))


def test_random_with_moved_weights_draws_only_what_the_ticket_does_not_know(
    ticket: Ticket,
) -> None:
    made = random(ticket, given(), weights="move")
    assert_masked_anew(made, ticket, network(7), set(ticket.masks))
    assert all(torch.equal(made.masks[n], m) for n, m in random(ticket, given()).masks.items())
    assert made.record["start"] == 90


def test_reinit_keeps_the_masks_alone(ticket: Ticket) -> None:
    made = reinit(ticket, given())
    assert equal(made, create(network(7), ticket.masks, record={**ticket.record, "start": 0}))


def test_shuffle_permutes_the_masks_of_copies_only(ticket: Ticket) -> None:
    made = shuffle(ticket, given())
    assert_masked_anew(made, ticket, network(7), {"layers.2.weight"})
    assert made.record["start"] == 90


def test_shuffle_takes_the_first_in_the_network_for_the_original(ticket: Ticket) -> None:
    deep = given(layers=12)  # among the names, layers.10 comes before layers.2
    before = elastic(ticket, deep)
    made = shuffle(before, replace(deep, own=lambda: network(0, 12)))
    copies = {f"layers.{i}.weight" for i in range(3, 12)}
    assert_masked_anew(made, before, network(7, 12), copies)


def test_shuffle_refuses_a_ticket_without_copies(ticket: Ticket) -> None:
    record = {field: told for field, told in ticket.record.items() if field != "moves"}
    plain = Ticket(ticket.masks, ticket.state, record)
    for target in (3, 2):
        with pytest.raises(UsageError, match="no unit with a mask is repeated here"):
            shuffle(plain, given(layers=target))


def test_controls_for_another_depth_make_the_ticket_fit_first(ticket: Ticket) -> None:
    moved = elastic(ticket, given(layers=5))
    fresh = network(7, 5).state_dict()

    made = reinit(ticket, given(layers=5))
    assert made.masks.keys() == moved.masks.keys()
    assert all(torch.equal(made.masks[n], moved.masks[n]) for n in moved.masks)
    assert all(torch.equal(t, _masked(fresh[n], made, n)) for n, t in made.state.items())

    made = random(ticket, given(layers=5))
    assert counts(made) == counts(moved)
    assert all(torch.equal(t, _masked(fresh[n], made, n)) for n, t in made.state.items())
    assert not any(torch.equal(made.masks[n], moved.masks[n]) for n in moved.masks)

    made = random(ticket, given(layers=5), weights="move")
    assert_masked_anew(made, moved, network(7, 5), set(moved.masks))

    made = shuffle(ticket, given(layers=5))
    assert_masked_anew(made, moved, network(7, 5), {"layers.3.weight", "layers.4.weight"})


def _masked(tensor: Tensor, ticket: Ticket, name: str) -> Tensor:
    return tensor * ticket.masks[name] if name in ticket.masks else tensor
