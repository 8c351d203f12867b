"""What masks cost in training: python benchmarks/step_cost.py --data DATA

For ResNet-20 on CIFAR-10 (batches of 128) and LeNet-300-100 on MNIST (batches of 60), one thread: a
training step of the dense network, of a network with masks (random-erk, 90 %), and of RigL and GMP, in
turns, without evaluations; how much of the training the changes of RigL's and GMP's masks take; and how
long SynFlow's hundred steps take on ResNet-20. Medians of the rounds; ratios are of one round.
"""

import argparse
import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import torch

import ticket.training_loop as training_loop
from ticket.finding import find_one
from ticket.request import Request


@dataclass(frozen=True)
class Case:
    """Name a network, its data, and how long one measurement is."""

    model: str
    dataset: str
    batch: int
    iterations: int


CASES = (Case("lenet-300-100", "mnist", 60, 4001), Case("resnet20", "cifar10", 128, 201))
METHODS = ("dense", "random-erk", "rigl", "gmp")


class Timed:
    """Take the place of a function and add up what its calls take."""

    def __init__(self, called: Callable[..., Any]) -> None:
        self.called, self.seconds = called, 0.0

    def __call__(self, *args: Any) -> Any:
        start = perf_counter()
        result = self.called(*args)
        self.seconds += perf_counter() - start
        return result


def steps(case: Case, method: str, data: Path, round_: int) -> tuple[float, float]:
    """Return the seconds of a training's steps, and those of them that changed masks."""
    whole: Any = training_loop
    changes = Timed(whole.change_masks)
    with TemporaryDirectory() as runs:
        length = f"{case.iterations}it"
        whole.change_masks = changes
        try:
            found = find_one(
                Request(
                    method=method,
                    model=case.model,
                    dataset=case.dataset,
                    data_folder=data,
                    runs_folder=Path(runs),
                    training={"length": length, "eval_every": length, "batch_size": case.batch},
                    seed=round_,
                )
            )
        finally:
            whole.change_masks = changes.called
        lines = (found.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    # Of each training the last line: its steps' time, before the evaluation. RigL's and GMP's one
    # training is told in two, before and after their last change.
    told = [json.loads(line) for line in lines]
    seconds = {
        (line["round"], line["phase"]): line["seconds"] for line in told if "seconds" in line
    }
    return sum(seconds.values()), changes.seconds


def synflow(data: Path) -> float:
    """Return the seconds of the hundred steps of scores and masks on ResNet-20."""
    with TemporaryDirectory() as runs:
        found = find_one(
            Request(
                method="synflow",
                model="resnet20",
                dataset="cifar10",
                data_folder=data,
                runs_folder=Path(runs),
                training={"length": "1it"},
            )
        )
    return float(found.rounds[0]["seconds"]["0-mark"])


def main() -> None:
    parser = argparse.ArgumentParser(description="What masks cost in training.")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for case in CASES:
        times: dict[str, list[float]] = {method: [] for method in METHODS}
        shares: dict[str, list[float]] = {method: [] for method in METHODS}
        for number in range(options.rounds):
            for method in METHODS[number % 4 :] + METHODS[: number % 4]:
                seconds, changing = steps(case, method, options.data, number)
                times[method].append(1e3 * seconds / case.iterations)
                shares[method].append(100 * changing / seconds)
        for method, found in times.items():
            ratios = [a / b for a, b in zip(found, times["dense"], strict=True)]
            print(
                f"{case.model}, {method}: {statistics.median(found):.3f} ms a step "
                f"({min(found):.3f} to {max(found):.3f}), {statistics.median(ratios):.3f} of dense "
                f"({min(ratios):.3f} to {max(ratios):.3f}), changing masks "
                f"{statistics.median(shares[method]):.2f} % of it",
                flush=True,
            )
    found = [synflow(options.data) for _ in range(3)]
    print(f"resnet20, synflow's steps: {statistics.median(found):.1f} s (of {sorted(found)})")


if __name__ == "__main__":
    main()
