"""Every tensor of the target comes from one of the source or begins anew, or the move is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from ticket.errors import TicketError, UsageError
from ticket.tickets import Ticket
from ticket.transforming.anatomy import Anatomy, anatomy
from ticket.transforming.lineage import same_bits
from ticket.transforming.moves import Moves, carry, check_family, moves
from ticket_plugins.models.imagenet_resnet import imagenet_resnet
from ticket_plugins.models.mlp import mlp
from ticket_plugins.models.resnet import resnet

Make = Callable[..., Any]
IMAGE = (1, 8, 8)


def bones(network: nn.Module, name: str, units: object = None) -> Anatomy:
    if units is not None:
        network.units = units  # type: ignore[assignment]
    return anatomy(network, name)


def linears(*sizes: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(*(nn.Linear(*size) for size in sizes))


def refusal(source: Anatomy, target: Anatomy, units: Mapping[str, list[int]] | None) -> str:
    """Return the one line that the two are refused with; `units` None asks for the family alone."""
    ask = partial(check_family if units is None else partial(moves, units=units), source, target)
    with pytest.raises(UsageError) as refused:
        ask()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_tensors_follow_their_units_and_the_rest_stays(tower: Make) -> None:
    source, target = bones(tower(3, 2), "three"), bones(tower(5, 2), "five")
    check_family(source, target)
    moved = moves(source, target, {"wide": [0, 1, 2, 1, 2], "narrow": [0, 1]})
    assert moved.units == {"wide": (0, 1, 2, 1, 2), "narrow": (0, 1)}
    assert moved.new == ()
    assert moved.tensors.keys() == target.shapes.keys()
    assert {t: s for t, s in moved.tensors.items() if t != s} == {
        "wide.3.weight": "wide.1.weight",
        "wide.3.bias": "wide.1.bias",
        "wide.4.weight": "wide.2.weight",
        "wide.4.bias": "wide.2.bias",
    }


def test_what_is_new_has_no_source_and_is_listed_in_the_networks_order(tower: Make) -> None:
    source, target = bones(tower(), "three"), bones(tower(classes=9), "nine")
    units = {"wide": [0, 1, 2], "narrow": [0, 1]}
    new = {"classifier.bias", "classifier.weight", "stem.weight", "stem.bias", "wide.0.bias"}
    moved = moves(source, target, units, new)
    assert moved.new == (
        *("stem.weight", "stem.bias", "wide.0.bias", "classifier.weight", "classifier.bias"),
    )
    assert moved.tensors.keys() == target.shapes.keys() - new


def test_two_families_are_told_apart_by_the_stage_that_only_one_has() -> None:
    deep, flat = resnet(IMAGE, 4, depth=8), mlp(IMAGE, 4, hidden=(30, 30))
    said = refusal(bones(deep, "resnet8"), bones(flat, "mlp"), None)
    assert said == (
        "resnet8 and mlp are not of one family: mlp has width 30, with weight 30 x 30; "
        "resnet8 has stage1, stage2, stage3 only"
    )
    four = bones(imagenet_resnet(IMAGE, 4, depth=18), "resnet18")
    said = refusal(four, bones(deep, "resnet8"), None)
    assert "resnet18 has stage4, with conv1.weight 512 x 512 x 3 x 3" in said


def test_stages_in_another_order_are_another_family(tower: Make) -> None:
    turned = tower()
    turned.units = dict(reversed(turned.units.items()))
    said = refusal(bones(tower(), "one"), bones(turned, "other"), None)
    assert said.endswith("their stages are wide, narrow and narrow, wide")


def test_nothing_is_made_of_a_stage_that_has_only_its_first_unit() -> None:
    source, target = (bones(resnet(IMAGE, 4, depth=d), f"resnet{d}") for d in (8, 14))
    said = refusal(source, target, None)
    assert said.startswith("stage1 of resnet14 repeats a unit with conv1.weight 16 x 16 x 3 x 3")
    assert said.endswith("stage1 of resnet8 has none: its only unit, the first, is never repeated")


def test_units_of_a_stage_that_are_not_alike_are_refused() -> None:
    odd = bones(linears((4, 4), (4, 4), (4, 3)), "odd", {"s": ["0", "1", "2"]})
    assert refusal(odd, odd, None) == (
        "the units of s of odd after the first are not alike: weight 4 x 4 and weight 3 x 4"
    )


def test_other_kernel_sizes_are_refused_by_stage_and_shape() -> None:
    def convs(size: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, size), nn.Conv2d(2, 2, size))

    units = {"s": ["1", "2"]}
    source, target = bones(convs(3), "threes", units), bones(convs(5), "fives", units)
    said = refusal(source, target, {"s": [0, 1]})
    assert said == (
        "'1.weight' of fives (s) is 2 x 2 x 5 x 5; '1.weight' of threes, its source, is 2 x 2 x 3 x 3"
    )


def test_units_of_other_parts_are_refused_with_both(tower: Make) -> None:
    source = bones(imagenet_resnet(IMAGE, 4, depth=34), "resnet34")
    target = bones(imagenet_resnet(IMAGE, 4, depth=50), "resnet50")
    units = {f"stage{i + 1}": list(range(n)) for i, n in enumerate((3, 4, 6, 3))}
    said = refusal(source, target, units)
    assert "unit 0 of stage1 of resnet50 has conv1.weight 64 x 64 x 1 x 1" in said
    assert "unit 0 of stage1 of resnet34 has conv1.weight 64 x 64 x 3 x 3" in said

    bare = tower(2, 2)
    bare.norms = nn.ModuleList(nn.BatchNorm1d(4, affine=False) for _ in range(2))
    units = {"wide": [0, 1], "narrow": [0, 1]}
    said = refusal(bones(tower(2, 2), "affine"), bones(bare, "bare"), units)
    assert "unit 0 of narrow of bare has 0.weight 4 x 6; unit 0 of narrow of affine has" in said
    assert said.endswith("0.weight 4 x 6, but only one of them has 1.bias, 1.weight")


@pytest.mark.parametrize(
    ("wide", "message"),
    [
        ([0, 1], "wide of five has 5 units, 2 were given a source"),
        ([0, 1, 2, 3, 1], "wide of three has no unit 3; it has 0 to 2"),
        ([0, 1, 2, -1, 1], "wide of three has no unit -1; it has 0 to 2"),
    ],
)
def test_a_list_of_units_that_fits_neither_network_is_refused(
    tower: Make, wide: list[int], message: str
) -> None:
    source, target = bones(tower(3, 2), "three"), bones(tower(5, 2), "five")
    assert refusal(source, target, {"wide": wide, "narrow": [0, 1]}) == message


def test_tensors_without_a_source_or_a_place_are_all_listed(tower: Make) -> None:
    plain, more = tower(), tower()
    more.extra = nn.Linear(3, 2)
    units = {"wide": [0, 1, 2], "narrow": [0, 1]}
    assert refusal(bones(plain, "plain"), bones(more, "more"), units) == (
        "2 tensors of more have no source in plain: extra.weight 2 x 3, extra.bias 2"
    )
    assert refusal(bones(more, "more"), bones(plain, "plain"), units) == (
        "2 tensors of more have no place in plain: extra.weight 2 x 3, extra.bias 2"
    )


def test_a_layer_outside_the_stages_keeps_its_shape_or_is_refused(tower: Make) -> None:
    units = {"wide": [0, 1, 2], "narrow": [0, 1]}
    said = refusal(bones(tower(), "four"), bones(tower(classes=9), "nine"), units)
    assert said == (
        "'classifier.weight' of nine is 9 x 4; 'classifier.weight' of four, its source, is 4 x 4"
    )


DEEPER = {"wide": [0, 2, 1, 2], "narrow": [0, 1, 1]}


def carried(tower: Make, ticket: Ticket, **options: Any) -> tuple[Moves, Ticket, nn.Module]:
    network = tower(4, 3, seed=9)
    moved = moves(bones(tower(), "source"), bones(network, "target"), DEEPER)
    return moved, carry(ticket, network, moved, **options), network


def test_masks_weights_norms_and_statistics_are_carried_bit_for_bit(
    tower: Make, ticket_of: Make
) -> None:
    ticket = ticket_of(tower(), start=4)
    moved, made, _ = carried(tower, ticket)
    assert made.state.keys() == moved.tensors.keys()
    for name, source in moved.tensors.items():
        assert same_bits(made.state[name], ticket.state[source]), name
    assert made.masks.keys() == {n for n in made.state if n in made.record["prunable"]}
    assert all(torch.equal(made.masks[n], ticket.masks[moved.tensors[n]]) for n in made.masks)
    for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        assert same_bits(made.state[f"norms.2.{part}"], ticket.state[f"norms.1.{part}"]), part
    assert int(made.state["norms.2.num_batches_tracked"]) > 1000
    assert made.record["start"] == 4
    assert made.record["moves"] == {
        "units": DEEPER,
        "states": dict(moved.tensors),
        "masks": {name: moved.tensors[name] for name in made.masks},
        "new": [],
    }


def test_a_carried_ticket_shares_no_memory_with_its_source(tower: Make, ticket_of: Make) -> None:
    ticket = ticket_of(tower())
    before = ticket.identity()
    _, made, _ = carried(tower, ticket)
    for tensor in (*made.state.values(), *made.masks.values()):
        tensor.fill_(1)
    assert ticket.identity() == before


def test_weights_drawn_anew_leave_the_masks_and_begin_at_step_0(
    tower: Make, ticket_of: Make
) -> None:
    ticket = ticket_of(tower(), start=4)
    moved, made, network = carried(tower, ticket, weights="reinit")
    for name, tensor in network.state_dict().items():
        assert torch.equal(made.state[name], tensor * made.masks.get(name, 1)), name
    assert all(torch.equal(made.masks[n], ticket.masks[moved.tensors[n]]) for n in made.masks)
    assert made.record["start"] == 0
    assert made.record["moves"]["states"] == {}
    assert made.record["moves"]["masks"].keys() == made.masks.keys()


def test_what_is_new_comes_from_the_network_dense(tower: Make, ticket_of: Make) -> None:
    network, ticket = tower(classes=9, seed=9), ticket_of(tower())
    new = {"classifier.weight", "classifier.bias"}
    units = {"wide": [0, 1, 2], "narrow": [0, 1]}
    moved = moves(bones(tower(), "four"), bones(network, "nine"), units, new)
    made = carry(ticket, network, moved)
    assert "classifier.weight" not in made.masks
    assert made.record["moves"]["new"] == ["classifier.weight", "classifier.bias"]
    for name in new:
        assert torch.equal(made.state[name], network.state_dict()[name])
    assert made.kept == ticket.kept - int(ticket.masks["classifier.weight"].sum()) + 9 * 4


def test_shared_weights_are_carried_once_and_stay_shared(tower: Make, ticket_of: Make) -> None:
    def tied(seed: int) -> Any:
        network = tower(3, 2, classes=4, seed=seed)
        network.again = nn.Linear(4, 4)
        network.again.weight = network.classifier.weight
        return network

    ticket = ticket_of(tied(0))
    assert ticket.record["aliases"] == {"classifier.weight": ["again.weight"]}
    units = {"wide": [0, 1, 2], "narrow": [0, 1]}
    moved = moves(bones(tied(0), "one"), bones(tied(1), "other"), units)
    made = carry(ticket, tied(1), moved)
    assert "again.weight" not in moved.tensors
    assert made.record["aliases"] == ticket.record["aliases"]
    assert same_bits(made.state["classifier.weight"], ticket.state["classifier.weight"])
    made.apply(tied(2))


def test_a_ticket_of_another_network_than_its_anatomy_is_refused(
    tower: Make, ticket_of: Make
) -> None:
    source, target = bones(tower(4, 2), "four"), bones(tower(2, 2), "two")
    moved = moves(source, target, {"wide": [0, 3], "narrow": [0, 1]})
    with pytest.raises(TicketError, match=r"the ticket lacks wide\.3\.bias, wide\.3\.weight"):
        carry(ticket_of(tower(3, 2)), tower(2, 2), moved)
