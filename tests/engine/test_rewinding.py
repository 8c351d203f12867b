"""Rewinding recipes do, bit for bit, what a few lines of plain torch do, BatchNorm included."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ticket.batches import batches, split
from ticket.dataset import DataSet
from ticket.errors import UsageError
from ticket.finding import find_one
from ticket.request import Objects, Request, prepare
from ticket.tickets import load

Make = Callable[..., Request]
LENGTH, BATCH, LR, DROP = 20, 16, 0.1, 12  # the rate falls tenfold at iteration 12
STATE = dict[str, Tensor]


def make() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 4)
    )


class Plain:
    """Train and prune as anybody would write it, with the run's examples in the run's order."""

    def __init__(self, network: nn.Module, data: DataSet) -> None:
        self.model, self.data = copy.deepcopy(network), data
        self.masks = {n: torch.ones_like(p) for n, p in self.weights()}
        self.seen: dict[int, STATE] = {}

    def weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        return ((n, p) for n, p in self.model.named_parameters() if p.dim() > 1)

    def state(self) -> STATE:
        return {n: t.clone() for n, t in self.model.state_dict().items()}

    def train(self, number: int, start: int, rate: Callable[[int], float]) -> None:
        optimizer = torch.optim.SGD(self.model.parameters(), LR, momentum=0.9, fused=True)
        splits = split(self.data, 0, torch.device("cpu"))
        feed = batches(splits, BATCH, 0, f"round-{number}/0-train", start, True)
        self.model.train()
        self.apply()
        for step in range(start, LENGTH):
            self.seen.setdefault(step, self.state())
            optimizer.param_groups[0]["lr"] = rate(step)
            inputs, labels = next(feed)
            optimizer.zero_grad()
            functional.cross_entropy(self.model(inputs), labels).backward()  # type: ignore[no-untyped-call]
            for name, weight in self.weights():
                assert weight.grad is not None
                weight.grad.mul_(self.masks[name])
            optimizer.step()

    def prune(self, keep: int) -> None:
        sizes = torch.cat([(w.detach().abs() * self.masks[n]).flatten() for n, w in self.weights()])
        kept = torch.zeros_like(sizes)
        kept[sizes.topk(keep).indices] = 1.0
        parts = torch.split(kept, [w.numel() for _, w in self.weights()])
        for (name, weight), part in zip(self.weights(), parts, strict=True):
            self.masks[name] = part.reshape(weight.shape)
        self.apply()

    @torch.no_grad()
    def apply(self) -> None:
        for name, weight in self.weights():
            weight[self.masks[name] == 0] = 0.0


def schedule(step: int) -> float:
    return LR * (1.0 if step < DROP else 0.1)


def low(step: int) -> float:
    return 0.001


# start and rate of every training after round 0, and whether the weights go back to that start
METHODS = {
    "lth": (0, schedule, True),
    "lth-rewind": (5, schedule, True),
    "lr-rewind": (4, schedule, False),
    "finetune": (0, low, False),
}


def request(method: str, runs: Path) -> Request:
    start, _, _ = METHODS[method]
    multistep = {"name": "multistep", "milestones": [f"{DROP}it"]}
    return Request(
        method=method,
        recipe={"rounds": 2, "sparsity": None, "rates": "same", "scope": "global"},
        training={
            "optimizer": {"name": "sgd", "momentum": 0.9}, "lr": LR, "batch_size": BATCH,
            "length": f"{LENGTH}it", "eval_every": "5it", "schedule": multistep,
        },
        rewind=None if method == "finetune" else f"{start}it",
        runs_folder=runs,
    )  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_the_run_equals_plain_torch_bit_for_bit(
    points: DataSet, tmp_path: Path, method: str
) -> None:
    start, rate, back = METHODS[method]
    asked = request(method, tmp_path)
    found = find_one(asked, Objects(make, points))
    plain = Plain(prepare(asked, Objects(make, points)).task.network(0, "init"), points)
    plain.train(0, 0, schedule)
    origin = copy.deepcopy(plain.seen)
    for number, keep in ((1, 80), (2, 64)):  # 36 + 64 weights, a fifth of them gone each round
        plain.prune(keep)
        if back:
            plain.model.load_state_dict(origin[start])
            plain.apply()
        ticket = load(found.folder / f"round-{number:02d}" / "ticket.safetensors")
        for name, tensor in plain.state().items():
            assert torch.equal(ticket.state[name], tensor), (number, name)
        plain.train(number, start, rate)
    trained = load(found.folder / "trained.safetensors")
    assert trained.state.keys() == plain.state().keys()
    for name, tensor in plain.state().items():
        assert torch.equal(trained.state[name], tensor), name
    assert found.final["iterations"] == LENGTH - start
    assert trained.kept == 64


def test_moments_come_back_when_asked(points: DataSet, tmp_path: Path) -> None:
    """Renda et al. restore the whole checkpoint: plain torch with its momentum buffers put back."""
    asked = request("lth-rewind", tmp_path)
    phases = ["train", "mark", "cut", {"rewind": {"to": "5it", "optimizer": "rewound"}}]
    asked = Request(
        method=asked.method, training=asked.training, runs_folder=tmp_path,
        recipe={**asked.recipe, "rounds": 1, "round": phases},
    )  # fmt: skip
    found = find_one(asked, Objects(make, points))
    model = prepare(asked, Objects(make, points)).task.network(0, "init")
    splits = split(points, 0, torch.device("cpu"))

    def train(model: nn.Module, optimizer: torch.optim.Optimizer, label: str, steps: range) -> None:
        feed = batches(splits, BATCH, 0, label, steps.start, True)
        for step in steps:
            optimizer.param_groups[0]["lr"] = schedule(step)
            inputs, labels = next(feed)
            optimizer.zero_grad()
            functional.cross_entropy(model(inputs), labels).backward()  # type: ignore[no-untyped-call]
            for name, weight in model.named_parameters():
                if name in masks and weight.grad is not None:
                    weight.grad.mul_(masks[name])
            optimizer.step()

    masks: STATE = {}
    optimizer = torch.optim.SGD(model.parameters(), LR, momentum=0.9, fused=True)
    train(model, optimizer, "round-0/0-train", range(5))
    masks = {n: m.float() for n, m in found.ticket.masks.items()}
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name in masks:
                weight[masks[name] == 0] = 0.0
                optimizer.state[weight]["momentum_buffer"][masks[name] == 0] = 0.0
    train(model, optimizer, "round-1/0-train", range(5, LENGTH))
    trained = load(found.folder / "trained.safetensors")
    for name, tensor in model.state_dict().items():
        assert torch.equal(trained.state[name], tensor), name


@pytest.mark.parametrize(
    ("to", "restore", "said"),
    [
        ("25it", "weights", r"to 25it \(iteration 25\) is past the end: the training has 20 iter"),
        ("20it", "rate", r"to 20it \(iteration 20\) is past the end"),
        ("9ep", "weights", r"to 9ep \(iteration 45\) is past the end"),
        ("100%", "rate", r"to 100% \(iteration 20\) is past the end"),
    ],
)
def test_a_rewind_past_the_end_is_refused_before_anything_trains(
    request_for: Make, to: str, restore: str, said: str
) -> None:
    phases = ["train", "mark", "cut", {"rewind": {"to": to, "restore": restore}}]
    asked = request_for(recipe={"round": phases, "rounds": 1})
    with pytest.raises(UsageError, match=said):
        find_one(asked)
    assert not asked.runs_folder.exists()


def test_a_rewind_past_a_shorter_first_training_is_refused(request_for: Make) -> None:
    phases: list[Any] = [{"train": {"length": "6it"}}, "mark", "cut", {"rewind": {"to": "8it"}}]
    with pytest.raises(UsageError, match="past the end: the training has 6 iterations"):
        find_one(request_for(recipe={"round": phases, "rounds": 1}))


def test_the_default_rewind_is_a_share_of_the_task(request_for: Make) -> None:
    found = find_one(request_for(method="lth-rewind", recipe={"rounds": 1}))
    assert found.ticket.record["start"] == 1  # 5 % of 20
    longer = find_one(
        request_for(method="lth-rewind", training={"length": "60it"}, recipe={"rounds": 1})
    )
    assert longer.ticket.record["start"] == 3


def test_finetuning_prunes_its_dense_training_first(request_for: Make) -> None:
    """`first` stands for round 0 alone: the dense training keeps the task's rate."""
    found = find_one(request_for(method="finetune", keep="all", recipe={"rounds": 2}))
    dense = find_one(request_for(method="dense", keep="all"))
    first = load(found.folder / "round-00" / "trained-0.safetensors")
    alone = load(dense.folder / "round-00" / "trained-0.safetensors")
    assert all(torch.equal(first.state[n], t) for n, t in alone.state.items())
    assert [len(r["trainings"]) for r in found.rounds] == [1, 1, 1]
