"""A transform gives a checked ticket for the network asked for, and says truly where it comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch

from ticket.dataset import DataSet
from ticket.errors import TicketError
from ticket.tickets import Ticket
from ticket.transforming.lineage import compare, same_bits
from ticket.transforming.performing import Transformed

Make = Callable[..., Any]
Perform = Callable[..., Transformed]
OTHER_DATA = {"name": "synthetic", "examples": 80, "channels": 3, "classes": 6}


def assert_same_tensors(one: Ticket, other: Ticket, names: Mapping[str, str] | None = None) -> None:
    """Check that each tensor of `one` is that of `other` under the name given, or under its own."""
    for mine, theirs in ((one.state, other.state), (one.masks, other.masks)):
        for name, tensor in mine.items():
            source = name if names is None else names[name]
            assert same_bits(tensor, theirs[source]), name
    if names is None:
        assert (one.state.keys(), one.masks.keys()) == (other.state.keys(), other.masks.keys())


def blocks(sources: list[int], name: str) -> str:
    """Return the tensor of a CIFAR resnet that `name` comes from; `sources` are those of its units."""
    found = re.fullmatch(r"(stages\.\d)\.(\d+)\.(.+)", name)
    return name if found is None else f"{found[1]}.{sources[int(found[2])]}.{found[3]}"


@pytest.mark.parametrize("to", [None, "resnet14"])
def test_to_the_same_network_it_is_the_identity(
    ticket_for: Make, transform: Perform, to: str | None
) -> None:
    ticket = ticket_for("resnet14")
    done = transform(ticket, to)
    assert_same_tensors(done.ticket, ticket)
    assert done.ticket.record["start"] == 4
    assert compare(done.ticket, ticket).own == ()
    assert {row.state for row in done.plan.rows} == {"invariant", "moved"}


def test_the_record_keeps_the_training_and_names_target_parent_and_ancestor(
    ticket_for: Make, transform: Perform
) -> None:
    ticket = ticket_for("resnet14")
    record = transform(ticket, "resnet20", seed=8).ticket.record
    for field in ("training", "recipe", "seeds", "dataset", "input", "start"):
        assert record[field] == ticket.record[field], field
    assert record["model"] == {"name": "resnet20", "options": {}}
    assert (record["rounds"], record["parent"]) == ([], ticket.identity())
    (told,) = record["lineage"]
    assert (told["ticket"], told["model"]) == (ticket.identity(), ticket.record["model"])
    assert (told["strategies"], told["transform_seed"]) == (["elastic"], 8)


def test_a_step_by_step_transform_is_recorded_as_lineage_and_follows_the_rule(
    ticket_for: Make, transform: Perform
) -> None:
    first = ticket_for("resnet20")
    second = transform(first, "cifar-resnet26").ticket
    third = transform(second, "resnet44", [{"name": "elastic", "order": "interpolate"}]).ticket

    chain = third.record["lineage"]
    assert [a["ticket"] for a in chain] == [first.identity(), second.identity()]
    assert [a["model"]["name"] for a in chain] == ["resnet20", "cifar-resnet26"]
    assert [a["strategies"] for a in chain] == [
        ["elastic"],
        [{"name": "elastic", "order": "interpolate"}],
    ]
    assert third.record["parent"] == second.identity()
    # 20 -> 26 appends: 1 2 1. 26 -> 44 interpolates: 1 1 2 2 3 3, which are 1 1 2 2 1 1 of the 20.
    into_second, into_third = [0, 1, 2, 1], [0, 1, 1, 2, 2, 3, 3]
    names = {n: blocks(into_third, n) for n in third.state}
    assert_same_tensors(third, second, names)
    assert_same_tensors(third, first, {n: blocks(into_second, names[n]) for n in names})
    assert compare(third, second).own == ()
    assert compare(third, second).different == ()


def test_the_papers_composition_repeats_the_one_unit_there_is(
    ticket_for: Make, transform: Perform
) -> None:
    first = ticket_for("resnet14")
    third = transform(transform(first, "resnet20").ticket, "resnet32").ticket
    assert_same_tensors(third, first, {n: blocks([0, 1, 1, 1, 1], n) for n in third.state})


def test_a_chain_of_strategies_is_one_step(ticket_for: Make, transform: Perform) -> None:
    ticket = ticket_for("resnet14")
    plain = transform(ticket, "resnet20").ticket
    done = transform(ticket, "resnet20", ["elastic", "shuffle"])
    made, moves = done.ticket, done.ticket.record["moves"]
    copies = {n for n in made.masks if re.match(r"stages\.\d\.2\.", n)}
    assert len(copies) == 6
    assert len(made.record["lineage"]) == 1
    assert made.record["lineage"][0]["strategies"] == ["elastic", "shuffle"]
    assert moves["units"] == {f"stage{i}": [0, 1, 1] for i in (1, 2, 3)}
    for name, mask in made.masks.items():
        assert torch.equal(mask, plain.masks[name]) is (name not in copies)
        assert mask.sum() == plain.masks[name].sum()
    assert moves["masks"].keys() == made.masks.keys() - copies
    assert moves["states"].keys() == made.state.keys() - copies
    assert set(compare(made, ticket).own) == {f"{p}.{n}" for p in ("state", "mask") for n in copies}
    assert {row.state for row in done.plan.rows if row.unit == 1} == {"copied"}


def test_two_reversals_are_the_identity_and_say_so(ticket_for: Make, transform: Perform) -> None:
    ticket = ticket_for("resnet20")
    reverse = {"name": "elastic", "order": "reverse"}
    made = transform(ticket, None, [reverse, reverse]).ticket
    assert_same_tensors(made, ticket)
    assert made.record["moves"]["units"]["stage1"] == [0, 1, 2]
    assert compare(made, ticket).own == ()


def test_another_data_set_makes_classifier_and_stem_anew_and_moves_the_rest(
    ticket_for: Make, transform: Perform
) -> None:
    ticket = ticket_for("resnet14")
    made = transform(ticket, "resnet20", dataset=OTHER_DATA).ticket
    new = ["stem.weight", "classifier.weight", "classifier.bias"]
    assert made.record["moves"]["new"] == new
    assert made.record["input"] == {"shape": [3, 8, 8], "classes": 6}
    assert made.record["dataset"] == OTHER_DATA
    assert made.state["stem.weight"].shape == (16, 3, 3, 3)
    assert made.state["classifier.weight"].shape == (6, 64)
    assert made.masks.keys().isdisjoint(new)  # dense
    assert all(float(made.state[name].std()) > 0 for name in new[:2])  # drawn, not zero
    for name in made.state.keys() - set(new):
        assert same_bits(made.state[name], ticket.state[blocks([0, 1, 1], name)]), name
    assert made.masks.keys() == set(made.record["prunable"]) - set(new)
    assert set(compare(made, ticket).own) == {f"state.{name}" for name in new}


def test_only_what_the_data_set_shapes_is_new_and_the_plan_says_so(
    ticket_for: Make, transform: Perform
) -> None:
    ticket = ticket_for({"name": "mlp", "hidden": [6, 6, 5]})
    target = {"name": "mlp", "hidden": [6, 6, 6, 5]}
    done = transform(ticket, target, dataset={**OTHER_DATA, "classes": 4})
    assert done.ticket.record["moves"]["new"] == ["fc1.weight"]
    assert same_bits(done.ticket.state["fc1.bias"], ticket.state["fc1.bias"])
    rows = [(row.stage, row.unit, row.targets, row.state) for row in done.plan.rows]
    assert rows == [
        ("width 6", 0, (0,), "new"),
        ("width 6", 1, (1, 2), "copied"),
        ("width 5", 0, (0,), "invariant"),
        ("output.weight", None, (), "invariant"),
    ]
    first, second = (done.plan.stages[0].kept, done.plan.stages[0].prunable)
    kept = {n: int(ticket.masks[n].sum()) for n in ticket.masks}
    assert first == (kept["fc1.weight"] + kept["fc2.weight"], 192 * 6 + 2 * kept["fc2.weight"])
    assert second == (64 * 6 + 36, 192 * 6 + 72)


def test_a_data_set_object_is_named_by_what_is_in_it(
    ticket_for: Make, transform: Perform, points: DataSet
) -> None:
    ticket = ticket_for({"name": "mlp", "hidden": [6]})
    record = transform(ticket, None, dataset=points).ticket.record
    assert record["dataset"]["name"] == "points"
    assert re.fullmatch("[0-9a-f]{16}", record["dataset"]["content"])
    assert record["input"]["shape"] == [1, 4, 4]
    few = replace(
        points, train_images=points.train_images[:16], train_labels=points.train_labels[:16]
    )
    assert transform(ticket, None, dataset=few).ticket.record["dataset"] != record["dataset"]


def test_functions_of_a_python_caller_are_both_ends(
    tower: Make, ticket_of: Make, transform: Perform
) -> None:
    def shallow(shape: object, classes: int) -> Any:
        return tower(2, 2, classes=classes)

    def deep(shape: object, classes: int) -> Any:
        return tower(3, 4, classes=classes)

    model = {"name": "here:shallow", "options": {}}
    fed = {"shape": [1, 4, 4], "classes": 4}
    ticket = ticket_of(shallow((), 4), model=model, dataset="points", input=fed)
    done = transform(ticket, deep, function=shallow)
    assert done.ticket.record["moves"]["units"] == {"wide": [0, 1, 1], "narrow": [0, 1, 1, 1]}
    assert same_bits(done.ticket.state["norms.3.running_var"], ticket.state["norms.1.running_var"])
    assert done.target.endswith("deep")
    assert done.ticket.record["model"]["name"].endswith("deep")
    done.ticket.apply(deep((), 4))
    with pytest.raises(TicketError, match="model 'here:shallow' cannot be imported"):
        transform(ticket, deep)


def test_torchs_global_random_state_is_left_alone(ticket_for: Make, transform: Perform) -> None:
    ticket = ticket_for("resnet14")
    torch.manual_seed(5)
    before = torch.get_rng_state()
    for chain in (["elastic", "shuffle"], ["random"], ["reinit"], ["dense"]):
        transform(ticket, "resnet20" if "dense" not in chain else None, chain)
        assert torch.equal(torch.get_rng_state(), before), chain


@pytest.mark.parametrize(
    "drawn", ["reinit", "random", "shuffle", {"name": "elastic", "drop": "random"}]
)
def test_one_seed_gives_one_ticket_and_another_seed_another(
    ticket_for: Make, transform: Perform, drawn: object
) -> None:
    ticket = ticket_for("resnet32", seeds={"seed": 0})
    to = "resnet20" if isinstance(drawn, dict) else "resnet44"
    one = transform(ticket, to, [drawn]).ticket
    torch.manual_seed(99)
    assert transform(ticket, to, [drawn], seed=0).ticket.identity() == one.identity()

    def tensors(made: Ticket) -> list[bytes]:
        return [t.numpy().tobytes() for t in (*made.state.values(), *made.masks.values())]

    other = transform(ticket, to, [drawn], seed=1).ticket
    assert tensors(other) != tensors(one)


def test_nothing_is_drawn_where_all_is_moved(ticket_for: Make, transform: Perform) -> None:
    ticket = ticket_for("resnet20")
    one, other = (transform(ticket, "resnet32", seed=seed).ticket for seed in (0, 1))
    assert_same_tensors(one, other)
    assert one.identity() != other.identity()  # the record tells the seed


def test_images_are_read_where_an_old_ticket_does_not_say_their_shape(
    ticket_for: Make, transform: Perform
) -> None:
    ticket = ticket_for("resnet14", dataset={"name": "synthetic", "examples": 80})
    old = Ticket(
        ticket.masks, ticket.state, {k: v for k, v in ticket.record.items() if k != "input"}
    )
    made = transform(old, "resnet20").ticket
    assert made.record["input"] == {"shape": [1, 8, 8], "classes": 4}


SILENT = """
state = {name: tensor.clone() for name, tensor in ticket.state.items()}
state["stem.weight"] += ticket.masks["stem.weight"] * 0.5
return Ticket(ticket.masks, state, ticket.record)
"""


def test_a_strategy_that_changes_a_tensor_without_saying_so_loses_the_claim(
    ticket_for: Make, transform: Perform, strategy: Make
) -> None:
    ticket = ticket_for("resnet14")
    made = transform(ticket, "resnet20", ["elastic", strategy(SILENT)]).ticket
    moves = made.record["moves"]
    assert made.state.keys() - moves["states"].keys() == {"stem.weight"}
    assert moves["masks"].keys() == made.masks.keys()
    assert compare(made, ticket).own == ("state.stem.weight",)
    assert compare(made, ticket).different == ()
