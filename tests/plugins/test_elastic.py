"""`elastic` moves whole units as its options say, and refuses what cannot be meant in one line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from ticket.errors import UsageError
from ticket.masks import prunable
from ticket.seeds import stream
from ticket.tickets import Ticket, create
from ticket.transforming import Given
from ticket.transforming.anatomy import anatomy
from ticket.uses import Use, bind, plain, read_use
from ticket.values import SpokenError
from ticket_plugins.transforms.elastic import elastic

NAME = "ticket_plugins.transforms.elastic:elastic"


class Tower(nn.Module):
    """Put a stem, two stages of units (a linear layer and its BatchNorm) and a classifier in a row."""

    def __init__(self, counts: tuple[int, int], classes: int, told: bool) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 5)
        for stage, (count, widths) in enumerate(zip(counts, ((5, 5), (5, 4)), strict=True), 1):
            for unit in range(count):
                inputs = widths[0] if unit == 0 else widths[1]
                self.add_module(f"linear{stage}_{unit}", nn.Linear(inputs, widths[1]))
                self.add_module(f"norm{stage}_{unit}", nn.BatchNorm1d(widths[1]))
        self.classifier = nn.Linear(4, classes)
        if told:
            self.units = {
                f"stage{stage}": [[f"linear{stage}_{u}", f"norm{stage}_{u}"] for u in range(count)]
                for stage, count in enumerate(counts, 1)
            }


def tower(
    counts: tuple[int, int], *, seed: int = 0, classes: int = 3, told: bool = True
) -> nn.Module:
    torch.manual_seed(seed)
    return Tower(counts, classes, told)


@pytest.fixture
def ticket() -> Ticket:
    """Return a ticket rewound to iteration 1000 of a network of 4 and 4 units, all tensors distinct."""
    model = tower((4, 4))
    generator = torch.Generator().manual_seed(1)
    for number, tensor in enumerate(model.state_dict().values()):
        if tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
        else:
            tensor.fill_(1000 + number)
    masks = {n: torch.rand(w.shape, generator=generator) > 0.5 for n, w in prunable(model).items()}
    model_record = {"name": "tower-4-4", "options": {}}
    return create(model, masks, record={"model": model_record, "start": 1000, "rounds": []})


def given(
    target: tuple[int, int], *, seed: int = 0, source: tuple[int, int] = (4, 4), **changes: Any
) -> Given:
    """Give the networks from `source` to `target`; `changes` are those of the target."""
    shaped = frozenset({"classifier.weight", "classifier.bias"} if "classes" in changes else ())
    return Given(
        origin=lambda: tower(source),
        own=lambda: tower(source),
        fresh=lambda: tower(target, seed=7, **changes),
        dense=lambda: tower(source),
        generator=stream(seed, "masks"),
        name=f"tower-{target[0]}-{target[1]}",
        new=shaped,
    )


def units(ticket: Ticket) -> tuple[list[int], list[int]]:
    told = ticket.record["moves"]["units"]
    return told["stage1"], told["stage2"]


def bits(ticket: Ticket) -> dict[str, bytes]:
    tensors = {**ticket.state, **{f"mask.{n}": m for n, m in ticket.masks.items()}}
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def test_masks_weights_norms_and_statistics_move_whole_and_the_schedule_stands(
    ticket: Ticket,
) -> None:
    made = elastic(ticket, given((6, 2)))
    assert units(made) == ([0, 1, 2, 3, 1, 2], [0, 1])
    before, after = bits(ticket), bits(made)
    for name, content in after.items():
        prefix, _, rest = name.removeprefix("mask.").partition("_")
        source = name
        if prefix in ("linear1", "norm1"):
            unit, _, within = rest.partition(".")
            origin = {"4": "1", "5": "2"}.get(unit, unit)
            source = name.replace(f"_{unit}.{within}", f"_{origin}.{within}")
        assert content == before[source], name
    assert made.state["norm1_4.num_batches_tracked"] == ticket.state["norm1_1.num_batches_tracked"]
    assert made.record["start"] == 1000
    moved = made.record["moves"]
    assert moved["states"]["norm1_5.running_var"] == "norm1_2.running_var"
    assert moved["masks"]["linear1_5.weight"] == "linear1_2.weight"


def test_masks_alone_move_when_weights_are_drawn_anew(ticket: Ticket) -> None:
    moved = elastic(ticket, given((6, 6)))
    made = elastic(ticket, given((6, 6)), weights="reinit")
    new = tower((6, 6), seed=7).state_dict()
    assert all(torch.equal(made.masks[name], moved.masks[name]) for name in moved.masks)
    for name, tensor in made.state.items():
        assert torch.equal(tensor, new[name] * made.masks.get(name, 1)), name
    assert made.record["start"] == 0
    assert made.record["moves"]["states"] == {}


def test_a_classifier_for_other_classes_is_new_and_dense(ticket: Ticket) -> None:
    made = elastic(ticket, given((4, 4), classes=9))
    new = tower((4, 4), seed=7, classes=9).state_dict()
    assert made.masks.keys() == ticket.masks.keys() - {"classifier.weight"}
    for name in ("classifier.weight", "classifier.bias"):
        assert torch.equal(made.state[name], new[name])
        assert name not in made.record["moves"]["states"]
    assert sorted(made.record["moves"]["new"]) == ["classifier.bias", "classifier.weight"]
    assert torch.equal(made.state["stem.weight"], ticket.state["stem.weight"])


@pytest.mark.parametrize(
    ("target", "options", "expected"),
    [
        ((6, 3), {}, ([0, 1, 2, 3, 1, 2], [0, 1, 2])),
        ((6, 3), {"order": "interpolate"}, ([0, 1, 1, 2, 2, 3], [0, 1, 3])),
        ((6, 6), {"order": "stage2: reverse"}, ([0, 1, 2, 3, 1, 2], [0, 2, 1, 3, 2, 1])),
        ((6, 6), {"replicate": {"stage1": "last"}}, ([0, 1, 2, 3, 2, 3], [0, 1, 2, 3, 1, 2])),
        ((3, 3), {"drop": "stage1: first; stage2: uniform"}, ([0, 2, 3], [0, 1, 2])),
        ((4, 3), {"order": "reverse", "drop": "last"}, ([0, 3, 2, 1], [0, 2, 1])),
        ((5, 5), {"units": "stage2: 0 3 2 1 3"}, ([0, 1, 2, 3, 1], [0, 3, 2, 1, 3])),
        ((4, 2), {"units": "stage1: 0 2 1 3; stage2: 0 3"}, ([0, 2, 1, 3], [0, 3])),
        ((5, 4), {"order": "interpolate", "units": {"stage2": [0, 3, 1, 2]}},
         ([0, 1, 1, 2, 3], [0, 3, 1, 2])),
    ],
)  # fmt: skip
def test_options_say_which_units(
    ticket: Ticket,
    target: tuple[int, int],
    options: Mapping[str, object],
    expected: tuple[list[int], list[int]],
) -> None:
    use = read_use("transforms", {"name": NAME, **options})
    assert units(bind(use)(ticket, given(target))) == expected
    written = yaml.safe_load(yaml.safe_dump(json.loads(json.dumps(use.plain()))))
    assert read_use("transforms", written) == use


def test_chance_comes_from_the_generator(ticket: Ticket) -> None:
    def drawn(seed: int, **options: Any) -> tuple[list[int], list[int]]:
        return units(elastic(ticket, given((15, 3), seed=seed), **options))

    for options in ({"order": "shuffle"}, {"replicate": "random"}, {"drop": "random"}):
        assert drawn(0, **options) == drawn(0, **options)
        assert len({str(drawn(seed, **options)) for seed in range(9)}) > 1


@pytest.mark.parametrize(
    "text",
    ["stage1: 0 1 1 2; stage2: 0 1", "stage1: 0,1,1,2 ;stage2:[0, 1];", {"stage1": "0 1 1 2",
     "stage2": "0 1"}, {"stage1": [0, 1, 1, 2], "stage2": ["0", 1]}],
)  # fmt: skip
def test_lists_of_units_are_written_in_several_ways(text: object) -> None:
    use = read_use("transforms", {"name": NAME, "units": text})
    assert plain(use.options["units"]) == {"stage1": [0, 1, 1, 2], "stage2": [0, 1]}


def test_options_at_their_defaults_leave_no_trace() -> None:
    defaults = {
        "order": "append", "replicate": {"stage2": "first"}, "drop": "stage1: inverse", "units": None,
        "weights": "move",
    }  # fmt: skip
    assert read_use("transforms", {"name": NAME, **defaults}) == Use("transforms", NAME)
    assert read_use("transforms", {"name": NAME, "units": {}}).options == {}
    partly = read_use("transforms", {"name": NAME, "order": "a: append; b: reverse"})
    assert partly.options == {"order": {"b": "reverse"}}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": "apend"}, "order wants append, .* got 'apend'; did you mean 'append'"),
        ({"order": {"stage1": "intrpolate"}}, "order of stage1 wants .* mean 'interpolate'"),
        ({"drop": "stage1: first; stage1: last"}, "drop names stage1 twice"),
        ({"drop": "stage1: first; last"}, "drop wants 'stage: ...; stage: ...'"),
        ({"replicate": "inverse"}, "replicate wants first, last, uniform or random"),
        ({"weights": "keep"}, "weights wants move or reinit"),
        ({"units": "0 1 1"}, "units wants lists by stage, such as 'stage2: 0 1 1 2', got '0 1 1'"),
        ({"units": "stage1: 0 one"}, "units of stage1 wants numbers of units"),
        ({"units": {"stage1": [0, 1.5]}}, "units of stage1 wants numbers of units"),
        ({"units": {"stage1": None}}, "units of stage1 wants numbers of units"),
        ({"units": "stage1: 1 2"}, "units of stage1 begins with unit 0, which is invariant"),
        ({"units": {"stage1": []}}, "units of stage1 begins with unit 0, which is invariant"),
        ({"units": "stage1: 0 1 0"}, "units of stage1 repeats unit 0, which is invariant"),
        ({"units": "stage1: 0 -1"}, "units of stage1 names unit -1; units are counted from 0"),
        ({"ordre": "append"}, "has no option 'ordre'; did you mean 'order'"),
    ],
)
def test_options_are_refused_before_any_network_is_built(
    options: Mapping[str, object], message: str
) -> None:
    with pytest.raises(SpokenError, match=message) as refused:
        read_use("transforms", {"name": NAME, **options})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ((4, 4), {"order": {"stag2": "reverse"}},
         "order names 'stag2', no stage of tower-4-4; did you mean 'stage2'"),
        ((4, 4), {"drop": {"x": "last"}}, "drop names 'x', .* tower-4-4; it has stage1, stage2$"),
        ((4, 4), {"units": {"stage3": (0, 1)}}, "units names 'stage3', no stage"),
        ((4, 5), {"units": {"stage2": (0, 1, 2, 3)}},
         "units of stage2 leaves unit 4 of tower-4-5 without a source; stage2 has 5 units, the list 4"),
        ((4, 3), {"units": {"stage2": (0, 1, 2, 3)}},
         "units of stage2 has a source for unit 3, which tower-4-3 has not"),
        ((4, 5), {"units": {"stage2": (0, 1, 2, 3, 4)}},
         "units of stage2 names unit 4; tower-4-4 has 0 to 3"),
        ((4, 5), {"units": {"stage2": (0, 1, 1, 3, 3)}},
         "units of stage2 leaves out unit 2 of tower-4-4; 5 units have room for all 4"),
        ((4, 4), {"units": {"stage2": (0, 1, 2, 2)}}, "leaves out unit 3 of tower-4-4"),
        ((4, 5), {"units": {"stage2": (1, 0, 1, 2, 3)}}, "stage2 must name unit 0 once, first"),
        ((4, 5), {"units": {"stage2": (0, 1, 2, 3, 1)}, "order": {"stage2": "reverse"}},
         "stage2 has a list of units, so order of stage2 means nothing"),
        ((4, 4), {"told": False}, "model 'tower-4-4' tells no units"),
    ],
)  # fmt: skip
def test_options_that_fit_no_network_are_refused_by_stage_and_unit(
    ticket: Ticket, target: tuple[int, int], options: dict[str, Any], message: str
) -> None:
    chosen = {option: value for option, value in options.items() if option != "told"}
    with pytest.raises(UsageError, match=message) as refused:
        elastic(ticket, given(target, told=options.get("told", True)), **chosen)
    assert "\n" not in str(refused.value)


def test_tensors_outside_the_stages_must_have_their_place(ticket: Ticket) -> None:
    def wider() -> nn.Module:
        network = tower((4, 4))
        network.add_module("second", nn.Linear(2, 2))
        return network

    places = given((4, 4))
    more = Given(places.own, wider, wider, stream(0), "wider", own=places.own)
    with pytest.raises(UsageError, match=r"2 tensors of wider have no source in tower-4-4: second"):
        elastic(ticket, more)
    less = Given(wider, places.fresh, wider, stream(0), "tower", own=wider)
    with pytest.raises(UsageError, match=r"2 tensors of tower-4-4 have no place in tower: second"):
        elastic(ticket, less)


def test_a_ticket_moved_twice_goes_as_one_moved_by_both_maps(ticket: Ticket) -> None:
    middle = elastic(ticket, given((5, 5), classes=3))
    record = {**middle.record, "model": {"name": "tower-5-5", "options": {}}}
    there = Ticket(middle.masks, middle.state, record)
    made = elastic(there, given((8, 3), source=(5, 5)))
    assert units(made) == ([0, 1, 2, 3, 4, 1, 2, 3], [0, 1, 2])
    state = anatomy(tower((8, 3)), "").stages["stage1"][4]
    for within, name in state.items():
        origin = anatomy(tower((4, 4)), "").stages["stage1"][1][within]
        assert torch.equal(made.state[name], ticket.state[origin])
