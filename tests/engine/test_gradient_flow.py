"""Weights are drawn for a mask where asked, and metrics measure the loss's own gradient."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from ticket import api, loop
from ticket.batches import batches
from ticket.errors import UsageError
from ticket.finding import Finding, find_one
from ticket.request import Request, prepare
from ticket.tickets import load
from ticket.watch import Progress

Make = Callable[..., Request]


def measured(found: Finding, number: int = 1) -> dict[int, float]:
    lines = [json.loads(line) for line in (found.folder / "metrics.jsonl").read_text().splitlines()]
    return {
        m["iteration"]: m["gradient_norm"]
        for m in lines
        if "gradient_norm" in m and m["round"] == number
    }


def test_the_norm_of_the_gradient_is_that_of_plain_torch(request_for: Make) -> None:
    """Over kept weights, at the first step and where the network is evaluated; penalties left out."""
    penalty = (("training.regularizers", [{"name": "l2", "strength": 0.5}]),)
    asked = request_for(method="sparse-init", recipe={"sparsity": 0.6, "rounds": 1}, sets=penalty)
    found = find_one(asked)
    task = prepare(asked).task
    model = task.network(0, "init")
    found.ticket.apply(model)
    masks = {n: m.float() for n, m in found.ticket.masks.items()}
    feed = batches(task.splits(0), 16, 0, "round-1/0-train", 0, True)
    optimizer, expected = torch.optim.SGD(model.parameters(), 0.1, fused=True), {}
    for step in range(20):
        inputs, labels = next(feed)
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs), labels).backward()  # type: ignore[no-untyped-call]
        weights = {n: w for n, w in model.named_parameters() if n in masks}
        grads = {n: w.grad * masks[n] for n, w in weights.items() if w.grad is not None}
        if step % 5 == 0:
            expected[step] = float(sum(g.square().sum() for g in grads.values()) ** 0.5)
        for name, weight in weights.items():
            weight.grad = grads[name] + 0.5 * weight.detach()
        optimizer.step()
    assert measured(found) == pytest.approx(expected, rel=1e-4)
    assert list(expected) == [0, 5, 10, 15]


def test_a_measurement_changes_nothing_and_is_not_taken_twice(
    request_for: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = (("training.metrics", [{"name": "gradient_norm", "of": "all"}]),)
    plain = find_one(request_for(recipe={"rounds": 1}))
    found = find_one(request_for(recipe={"rounds": 1}, sets=metrics))
    assert all(torch.equal(t, found.ticket.state[n]) for n, t in plain.ticket.state.items())
    assert plain.final["end"] == found.final["end"]
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    asked = request_for(recipe={"rounds": 1}, sets=metrics, runs_folder=tmp_path / "killed")

    def kill(progress: Progress) -> None:
        if progress.kind == "evaluated" and (progress.round, progress.step) == (1, 10):
            raise MemoryError

    with pytest.raises(MemoryError):
        find_one(asked, report=kill)
    again = find_one(asked)
    names = [
        [(m["round"], m["iteration"], "gradient_norm" in m) for m in map(json.loads, lines)]
        for lines in ((f.folder / "metrics.jsonl").read_text().splitlines() for f in (again, found))
    ]
    assert names[0] == names[1]
    assert measured(again) == measured(found)


def test_the_masks_own_initialisation_keeps_the_gradient_alive(request_for: Make) -> None:
    """Evci et al. 2022: a dense draw under a sparse mask starts with hardly any gradient."""
    sets = (("model", {"name": "mlp", "hidden": [32, 32, 32]}),)
    recipe = {"sparsity": 0.9, "rounds": 1}
    aware = find_one(request_for(method="sparse-init", recipe=recipe, sets=sets))
    drawn = (*sets, ("recipe.round.2.rewind", {"restore": "fresh"}))
    naive = find_one(request_for(method="sparse-init", recipe=recipe, sets=drawn))
    assert all(torch.equal(m, naive.ticket.masks[n]) for n, m in aware.ticket.masks.items())
    assert measured(aware)[0] > 5 * measured(naive)[0]


def test_masks_found_otherwise_can_have_it_too(request_for: Make, tmp_path: Path) -> None:
    found = find_one(request_for(method="lth", recipe={"rounds": 2}))
    path = found.folder / "ticket.safetensors"
    made = {
        name: api.transform(path, strategy=strategy, runs_folder=tmp_path / "made").ticket
        for name, strategy in (
            ("model", "reinit"),
            ("mask", {"name": "reinit", "init": "sparse_aware"}),
            ("scaled", {"name": "reinit", "init": {"name": "layer_scaled"}}),
        )
    }
    for ticket in made.values():
        assert all(torch.equal(m, ticket.masks[n]) for n, m in found.ticket.masks.items())
    for name, mask in found.ticket.masks.items():
        ratio = (mask.numel() / int(mask.sum())) ** 0.5
        model, scaled = made["model"].state[name], made["scaled"].state[name]
        assert torch.allclose(scaled, ratio * model)
        assert not torch.allclose(made["mask"].state[name], model)


def test_biases_and_buffers_stay_as_the_model_draws_them(request_for: Make) -> None:
    asked = request_for(method="sparse-init", recipe={"sparsity": 0.6, "rounds": 1})
    found = find_one(asked)
    fresh = prepare(asked).task.network(0, "reinit", 0).state_dict()
    for name, tensor in found.ticket.state.items():
        assert torch.equal(tensor, fresh[name]) is (name not in found.ticket.masks)


@pytest.mark.parametrize("restore", ["weights", "rate"])
def test_only_new_weights_can_be_drawn(request_for: Make, restore: str) -> None:
    rewind = {"rewind": {"restore": restore, "init": "sparse_aware"}}
    asked = request_for(recipe={"rounds": 1, "round": ["train", "mark", "cut", rewind]})
    with pytest.raises(UsageError, match=f"'sparse_aware' draws weights, so .* not {restore}"):
        find_one(asked)


def test_numbers_that_are_not_finite_are_refused(request_for: Make, tmp_path: Path) -> None:
    (tmp_path / "init.py").write_text("def bad(weight, mask, generator):\n    weight.div_(0)\n")
    rewind = {"rewind": {"restore": "fresh", "init": f"{tmp_path / 'init.py'}:bad"}}
    phases: list[Any] = ["train", "mark", "cut", rewind]
    with pytest.raises(UsageError, match=r"bad' gives 'fc1\.weight' numbers that are not finite"):
        find_one(request_for(recipe={"rounds": 1, "round": phases}))


def test_a_metric_of_ones_own_is_measured(request_for: Make, tmp_path: Path) -> None:
    body = "def largest(weights, masks):\n    return max(float(w.abs().max()) for w in weights.values())\n"
    (tmp_path / "metric.py").write_text(body)
    name = f"{tmp_path / 'metric.py'}:largest"
    found = find_one(request_for(method="dense", sets=(("training.metrics", [name]),)))
    lines = [json.loads(line) for line in (found.folder / "metrics.jsonl").read_text().splitlines()]
    first = load(found.folder / "round-00" / "ticket.safetensors")
    weights = [t for n, t in copy.copy(dict(first.state)).items() if n.endswith("weight")]
    assert lines[0][name] == pytest.approx(max(float(w.abs().max()) for w in weights))
