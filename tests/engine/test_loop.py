"""A run keeps exactly what the ladder says, round within round, and rewinds to exactly where it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ticket.dataset import DataSet
from ticket.errors import TicketError
from ticket.finding import Finding, find_one
from ticket.request import Objects, Request, prepare
from ticket.tickets import Ticket, load

Make = Callable[..., Request]
WITH_NORM: dict[str, Any] = {
    "sets": (("model", "resnet8"), ("dataset", {"name": "synthetic", "examples": 40, "size": 8})),
    "training": {"length": "12it", "eval_every": "4it", "lr": 0.05},
}


def tickets(found: Finding) -> list[Ticket]:
    return [load(path) for path in sorted(found.folder.glob("round-*/ticket.safetensors"))]


def trained(found: Finding, number: int, phase: int = 0) -> Ticket:
    return load(found.folder / f"round-{number:02d}" / f"trained-{phase}.safetensors")


def survivors_equal(one: Ticket, other: Ticket) -> bool:
    """Compare the states where `one` keeps weights, and everything that is not prunable."""

    def part(name: str, tensor: Tensor) -> Tensor:
        return tensor[one.masks[name]] if name in one.masks else tensor

    return all(torch.equal(part(n, t), part(n, other.state[n])) for n, t in one.state.items())


@pytest.mark.parametrize("method", ["lth", "lth-global", "unilth"])
def test_each_round_keeps_its_count_inside_the_round_before(request_for: Make, method: str) -> None:
    found = find_one(request_for(method=method, recipe={"rounds": 4, "rate": 0.2, "rates": "same"}))
    made = tickets(found)
    assert [t.kept for t in made] == [160, 128, 102, 82, 66]  # 160 x 0.8^r, rounded half up
    assert [r["kept"] for r in found.rounds] == [t.kept for t in made]
    assert [r["density"] for r in found.rounds] == [t.kept / 160 for t in made]
    for before, after in pairwise(made):
        for name, mask in after.masks.items():
            assert not (mask & ~before.masks[name]).any()
    for record, ticket in zip(found.rounds, made, strict=True):
        assert record["layers"] == {n: int(m.sum()) for n, m in ticket.masks.items()}


def test_every_phase_tells_its_wall_clock(request_for: Make) -> None:
    found = find_one(request_for(method="synflow", recipe={"rounds": 1, "sparsity": 0.5}))
    before, after = (record["seconds"] for record in found.rounds)
    assert set(before) == {"0-mark", "1-cut"}
    assert all(taken > 0 for taken in [*before.values(), *after.values()])


def test_the_lowest_magnitudes_of_the_trained_network_go(request_for: Make) -> None:
    found = find_one(request_for(method="lth-global", keep="all", recipe={"rounds": 1}))
    first, after = trained(found, 0), tickets(found)[1]
    sizes = torch.cat([first.state[n].abs().flatten() for n in after.masks])
    kept = torch.cat([m.flatten() for m in after.masks.values()])
    assert sizes[~kept].max() <= sizes[kept].min()
    assert int(kept.sum()) == 128


def test_a_target_sparsity_is_met_exactly(request_for: Make) -> None:
    found = find_one(request_for(recipe={"sparsity": 0.7, "rounds": None}))
    assert found.ticket.kept == 48
    assert found.final["end"]["iteration"] == 20


def test_survivors_go_back_to_their_initial_weights(request_for: Make) -> None:
    request = request_for()
    found = find_one(request)
    origin = prepare(request).task.network(0, "init").state_dict()
    for ticket in tickets(found):
        for name, value in ticket.state.items():
            mask = ticket.masks.get(name, torch.ones_like(value, dtype=torch.bool))
            assert torch.equal(value[mask], origin[name][mask])


def test_late_rewinding_goes_back_to_the_state_at_that_step(request_for: Make) -> None:
    """Weights and BatchNorm statistics, and the place in the schedule with them."""
    fields = {**WITH_NORM, "recipe": {"rounds": 2}}
    found = find_one(request_for(rewind="5it", keep="all", **fields))
    short = request_for(
        method="dense",
        keep="all",
        sets=WITH_NORM["sets"],
        training=WITH_NORM["training"] | {"length": "5it"},
    )
    at_five = load(find_one(short).folder / "trained.safetensors")
    assert int(at_five.state["norm.num_batches_tracked"]) == 5
    first, *later = tickets(found)
    assert int(first.state["norm.num_batches_tracked"]) == 0
    assert first.record["start"] == 0
    for ticket in later:
        assert survivors_equal(ticket, at_five)
        assert ticket.record["start"] == 5
    iterations = [r["trainings"][0]["iterations"] for r in found.rounds]
    assert iterations == [12, 7, 7]
    assert [r["trainings"][0]["end"]["iteration"] for r in found.rounds] == [12, 12, 12]
    assert int(trained(found, 1).state["norm.num_batches_tracked"]) == 12


def test_a_late_ticket_trained_on_its_own_is_the_runs_training(request_for: Make) -> None:
    from ticket.api import train

    request = request_for(rewind="5it", recipe={"rounds": 1}, training={"schedule": "cosine"})
    found = find_one(request)
    again = train(found.folder / "ticket.safetensors", runs_folder=request.runs_folder)
    assert again.final["iterations"] == found.final["iterations"] == 15
    # The order of the examples is that of round 0: another training, from the same place.
    assert again.ticket.state.keys() == found.ticket.state.keys()
    assert survivors_equal(again.ticket, found.ticket)


def metrics(found: Finding) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (found.folder / "metrics.jsonl").read_text().splitlines()]


def test_measurements_of_a_late_training_start_where_it_starts(request_for: Make) -> None:
    found = find_one(request_for(rewind="7it", recipe={"rounds": 1}))
    assert [(m["round"], m["iteration"]) for m in metrics(found)] == [
        (0, 5), (0, 10), (0, 15), (0, 20), (1, 10), (1, 15), (1, 20)
    ]  # fmt: skip


def with_rewind(request: Request, **fields: Any) -> Request:
    phases = ["train", "mark", "cut", {"rewind": fields}]
    return replace(request, recipe={**request.recipe, "round": phases})


def test_learning_rate_rewinding_keeps_the_weights(request_for: Make) -> None:
    request = request_for(keep="all", recipe={"rounds": 1})
    found = find_one(with_rewind(request, to="5it", restore="rate"))
    assert survivors_equal(tickets(found)[1], trained(found, 0))
    assert tickets(found)[1].record["start"] == 5
    assert found.final["iterations"] == 15


def test_no_rewinding_keeps_the_weights_and_trains_in_full(request_for: Make) -> None:
    found = find_one(request_for(keep="all", rewind="none", recipe={"rounds": 2}))
    assert survivors_equal(tickets(found)[1], trained(found, 0))
    assert survivors_equal(tickets(found)[2], trained(found, 1))
    assert found.final["iterations"] == 20


def test_fresh_weights_are_new_ones_every_round(request_for: Make) -> None:
    request = request_for(recipe={"rounds": 2})
    found = find_one(with_rewind(request, restore="fresh"))
    states = [
        t.state["1.weight" if "1.weight" in t.state else "fc1.weight"] for t in tickets(found)
    ]
    kept = [t.masks["fc1.weight"] for t in tickets(found)]
    assert not (states[1] == states[0])[kept[1]].any()
    assert not (states[2] == states[1])[kept[2]].any()


@pytest.mark.parametrize("optimizer", ["fresh", "rewound"])
def test_moments_are_fresh_or_rewound_as_asked(request_for: Make, optimizer: str) -> None:
    """With momentum the first step after a late rewind differs, and nothing before it does."""
    training = {"optimizer": {"name": "sgd", "momentum": 0.9}}
    request = request_for(keep="all", training=training, recipe={"rounds": 1})
    found = find_one(with_rewind(request, to="5it", optimizer=optimizer))
    other = "rewound" if optimizer == "fresh" else "fresh"
    twin = find_one(with_rewind(request, to="5it", optimizer=other))
    assert survivors_equal(tickets(found)[1], tickets(twin)[1])
    assert not survivors_equal(trained(found, 1), trained(twin, 1))


def test_a_training_that_stops_before_the_rewind_point_says_so(request_for: Make) -> None:
    """How early patience ends a training is known afterwards only."""
    impatient = {"lr": 5.0, "patience": 1, "eval_every": "1it"}
    with pytest.raises(
        TicketError, match=r"ended at iteration \d, before 15, the one to rewind to"
    ):
        find_one(request_for(rewind="15it", training=impatient, recipe={"rounds": 1}))


def test_marks_do_not_outlive_the_cut(request_for: Make) -> None:
    """Without a rewind, a penalty on the doomed has nothing to act on in the training after the cut."""
    penalised = {"train": {"regularizers": [{"name": "growing_l2", "ceiling": 1.0}]}}
    recipe = {"rounds": 1, "round": ["train", "mark", penalised, "cut"], "final": [penalised]}
    asked = request_for(recipe=recipe)
    with pytest.raises(
        TicketError, match=r"'lth', final 1: a penalty on the doomed needs a `mark`"
    ):
        find_one(asked)
    assert not asked.runs_folder.exists()
    assert find_one(request_for(recipe=recipe | {"final": ["train"]})).ticket.kept == 131


def test_a_run_whose_rounds_do_not_train_still_trains_its_ticket(request_for: Make) -> None:
    found = find_one(request_for(method="random", recipe={"sparsity": 0.5, "rounds": 1}))
    assert found.ticket.kept == 80
    assert found.final["iterations"] == 20


def test_excluded_layers_stay_dense_and_count_as_dense(request_for: Make) -> None:
    found = find_one(request_for(recipe={"sparsity": 0.5, "rounds": None, "exclude": ["output.*"]}))
    assert found.rounds[-1]["layers"] == {"fc1.weight": 48, "output.weight": 32}
    assert found.ticket.density == 0.5


def test_excluding_what_is_not_there_is_refused(request_for: Make) -> None:
    with pytest.raises(
        TicketError, match=r"excludes 'ouput\.\*', which names no prunable layer; did"
    ):
        find_one(request_for(recipe={"sparsity": 0.5, "rounds": None, "exclude": ["ouput.*"]}))


def test_a_round_in_which_nothing_goes_is_no_defect(request_for: Make) -> None:
    found = find_one(
        request_for(method="unilth", recipe={"rounds": 1, "rate": 0.001, "rates": "same"})
    )
    assert [r["kept"] for r in found.rounds] == [160, 160]
    assert "doomed_over_kept" not in found.rounds[0]["cut"]


def test_a_layer_that_would_lose_every_weight_stops_the_run_by_name(request_for: Make) -> None:
    recipe = {"rounds": 1, "sparsity": 0.99, "rate": None, "scope": "global"}
    training = {"lr": 0.01, "weight_decay": 0.0}
    # An output layer far larger than the first: the first one goes whole.
    request = request_for(
        recipe=recipe, training=training, sets=(("model", {"name": "mlp", "hidden": [8]}),)
    )
    network = prepare(request).task.network(0, "init")
    with torch.no_grad():
        network.get_parameter("output.weight").mul_(100)
        network.get_parameter("output.weight").sign_().mul_(9)
    folder = request.runs_folder.parent
    torch.save(network.state_dict(), folder / "start.pt")
    with pytest.raises(TicketError, match=r"'fc1\.weight' would lose every weight"):
        find_one(replace(request, weights=folder / "start.pt"))
    allowed = replace(
        request, weights=folder / "start.pt", recipe=recipe | {"allow_empty_layers": True}
    )
    assert find_one(allowed).rounds[-1]["layers"]["fc1.weight"] == 0


def test_a_weight_that_two_layers_share_has_one_mask(tmp_path: Path, points: DataSet) -> None:
    def make() -> torch.nn.Module:
        first, second = torch.nn.Linear(16, 16), torch.nn.Linear(16, 16)
        second.weight = first.weight
        return torch.nn.Sequential(
            torch.nn.Flatten(), first, torch.nn.ReLU(), second, torch.nn.Linear(16, 4)
        )

    request = Request(
        recipe={"rounds": 1, "sparsity": None, "scope": "global"},
        training={"length": "5it"},
        runs_folder=tmp_path,
    )
    found = find_one(request, Objects(make, points))
    assert found.ticket.prunable == 16 * 16 + 16 * 4
    assert set(found.ticket.masks) == {"1.weight", "4.weight"}
    assert found.ticket.record["aliases"] == {"1.weight": ["3.weight"]}
    network = make()
    load(found.folder / "trained.safetensors").apply(network)
    assert (network[3].weight == 0).sum() >= int((~found.ticket.masks["1.weight"]).sum())  # type: ignore[index]
    assert network[3].weight is network[1].weight  # type: ignore[index]
