"""Time rounds of the LeNet ladder beside a plain PyTorch loop: python benchmarks/time_to_ticket.py

The task: LeNet-300-100 on MNIST, Adam at 1.2e-3, batches of 60, 20/20/10 % pruned a round, the
survivors rewound to their initial weights; for every round the iteration of the lowest validation
loss, the test accuracy there, and the test accuracy at the end. The plain loop is what a competent
user writes: normalised tensors in memory, DataLoader, torch.optim.Adam, torch.nn.utils.prune, one
seed after the other with torch's threads. It starts from the same weights and the same split as
ours, and evaluates at the same iterations. It has to test at each of them, because it cannot know
which one will be the lowest; ours keeps the best weights and tests once a round.

Every run has a process of its own, and the two contestants take turns. The rates count training
steps over whole rounds, evaluation, pruning and files included; start-up (Python, torch, reading
the data) is left out, then counted in.
"""

import argparse
import json
import math
import multiprocessing
import platform
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import prune
from torch.utils.data import DataLoader, TensorDataset

from ticket import replicates
from ticket.errors import TicketError
from ticket.finding import seeds_of
from ticket.request import Request, prepare
from ticket.watch import silent

RATES = (0.2, 0.2, 0.1)  # Frankle & Carbin 2019: the output layer at half the rate
LEARNING_RATE, BATCH, EVALUATE_EVERY = 1.2e-3, 60, 100
EVALUATION_BATCH = 1000
PAIR = "ticket, two seeds side by side"

T = TypeVar("T")


@dataclass(frozen=True)
class Round:
    """What one round reports: weights kept by layer, early-stop iteration, accuracies in [0, 1]."""

    kept: tuple[int, ...]
    early_stop: int
    test_there: float
    test_at_end: float


@dataclass(frozen=True)
class Timed:
    """Some runs: training steps, seconds of all rounds, seconds with start-up, rounds by seed."""

    name: str
    steps: int
    seconds: float
    whole_seconds: float
    seeds: dict[int, list[Round]]

    def rates(self) -> tuple[float, float]:
        """Return steps a second, without start-up and with it."""
        return self.steps / self.seconds, self.steps / self.whole_seconds


@dataclass(frozen=True)
class Plan:
    """What is run: cuts, training steps a round, where MNIST lies."""

    rounds: int
    iterations: int
    data: Path

    def request(self, seed: int, runs: Path = Path("runs")) -> Request:
        """Return the experiment as `ticket` is asked for it."""
        return Request(
            method="lth",
            model="lenet-300-100",
            dataset="mnist",
            data_folder=self.data,
            runs_folder=runs,
            recipe={"rounds": self.rounds, "sparsity": None},
            training={"length": f"{self.iterations}it"},
            seed=seed,
        )


def plain_seed(plan: Plan, seed: int, threads: int | None) -> tuple[float, list[Round]]:
    """Run the plain loop for one seed; return the seconds of its rounds, and what they say."""
    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(seed)
    task = prepare(plan.request(seed)).task
    splits = task.splits(seed)
    parts = (splits.train, splits.validation, splits.test)
    train, validation, test = ((p.normalised(p.images), p.labels) for p in parts)
    first, second, output = layers = [nn.Linear(784, 300), nn.Linear(300, 100), nn.Linear(100, 10)]
    model = nn.Sequential(nn.Flatten(), first, nn.ReLU(), second, nn.ReLU(), output)
    given = task.network(seed, "init").parameters()
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), given, strict=True):
            parameter.copy_(value)
    initial = [(layer.weight.detach().clone(), layer.bias.detach().clone()) for layer in layers]
    loader = DataLoader(TensorDataset(*train), batch_size=BATCH, shuffle=True)

    began = time.perf_counter()
    rounds = []
    for number in range(plan.rounds + 1):
        if number:
            for layer, rate, (weight, bias) in zip(layers, RATES, initial, strict=True):
                prune.l1_unstructured(layer, "weight", amount=rate)  # type: ignore[no-untyped-call]
                layer.get_parameter("weight_orig").data.copy_(weight)
                layer.bias.data.copy_(bias)
        rounds.append(plain_round(model, loader, validation, test, plan.iterations))
    return time.perf_counter() - began, rounds


def plain_round(
    model: nn.Module,
    loader: DataLoader[tuple[Tensor, ...]],
    validation: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    iterations: int,
) -> Round:
    """Train the network and follow both sets."""
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    lowest, early_stop, test_there, accuracy = math.inf, 0, 0.0, 0.0
    step = 0
    while step < iterations:
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss = cross_entropy(model(inputs), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            step += 1
            if step % EVALUATE_EVERY == 0 or step == iterations:
                validation_loss, _ = evaluated(model, validation)
                _, accuracy = evaluated(model, test)
                if validation_loss < lowest:
                    lowest, early_stop, test_there = validation_loss, step, accuracy
            if step == iterations:
                break
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    masks = (dict(layer.named_buffers()).get("weight_mask", layer.weight) for layer in layers)
    kept = tuple(int(mask.count_nonzero()) for mask in masks)
    return Round(kept, early_stop, test_there, accuracy)


@torch.no_grad()
def evaluated(model: nn.Module, examples: tuple[Tensor, Tensor]) -> tuple[float, float]:
    """Return mean loss and accuracy."""
    model.eval()
    loss, right = torch.zeros(()), torch.zeros((), dtype=torch.int64)
    images, answers = (torch.split(part, EVALUATION_BATCH) for part in examples)
    for inputs, labels in zip(images, answers, strict=True):
        logits = model(inputs)
        loss += cross_entropy(logits, labels, reduction="sum")
        right += (logits.argmax(1) == labels).sum()
    model.train()
    count = len(examples[1])
    return loss.item() / count, right.item() / count


def our_seeds(plan: Plan, seeds: int, first: int) -> tuple[float, dict[int, list[Round]]]:
    """Find tickets side by side; return the seconds from the first file to the last, and the rounds.

    A run writes its configuration after the data is read, and its figures when everything is done.
    """
    with tempfile.TemporaryDirectory() as folder:
        requests = seeds_of(plan.request(first, Path(folder)), seeds)
        found = replicates.find_all(requests, silent)
        began = min((f.folder / "config.yaml").stat().st_mtime for f in found)
        ended = max((f.folder / "figures.json").stat().st_mtime for f in found)
    rounds: dict[int, list[Round]] = {f.seed: [] for f in found}
    for finding in found:
        for record in finding.rounds:
            (training,) = record["trainings"]
            early, end = training["early_stop"], training["end"]
            accuracies = early["test_accuracy"], end["test_accuracy"]
            kept = tuple(record["layers"].values())
            rounds[finding.seed].append(Round(kept, early["iteration"], *accuracies))
    return ended - began, rounds


def apart(function: Callable[..., T], *arguments: object) -> tuple[T, float]:
    """Call in a process of its own; return the result and the seconds with the process's start."""
    began = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as executor:
        result = executor.submit(function, *arguments).result()
    return result, time.perf_counter() - began


def plain(plan: Plan, seed: int, threads: int | None) -> Timed:
    (seconds, rounds), whole = apart(plain_seed, plan, seed, threads)
    name = "plain loop, 1 thread" if threads == 1 else "plain loop, torch's threads"
    return Timed(name, plan.iterations * len(rounds), seconds, whole, {seed: rounds})


def ours(plan: Plan, seeds: int, first: int) -> Timed:
    (seconds, rounds), whole = apart(our_seeds, plan, seeds, first)
    steps = plan.iterations * sum(map(len, rounds.values()))
    return Timed(PAIR if seeds > 1 else "ticket, one seed", steps, seconds, whole, rounds)


def measure(plan: Plan) -> list[Timed]:
    """Run everything, in turns, so that a machine that slows down slows both contestants."""
    runs = [plain(plan, 0, None), ours(plan, 2, 0), plain(plan, 1, None)]
    runs += [ours(plan, 1, 0), plain(plan, 0, 1), ours(plan, 1, 1), plain(plan, 1, 1)]
    rows: dict[str, Timed] = {}
    for run in runs:  # seeds that ran one after the other are added up
        a = rows.get(run.name, Timed(run.name, 0, 0.0, 0.0, {}))
        seconds, whole = a.seconds + run.seconds, a.whole_seconds + run.whole_seconds
        rows[run.name] = Timed(run.name, a.steps + run.steps, seconds, whole, a.seeds | run.seeds)
    return sorted(rows.values(), key=Timed.rates)


def same_counts(mine: Timed, its: Timed) -> bool:
    """Tell whether both keep the same number of weights in every layer after every round.

    From round 9 on they may be one apart: torch rounds what goes in a round, ours what is kept.
    """
    return all(
        abs(kept - other) <= (1 if number > 8 else 0)
        for seed, rounds in mine.seeds.items()
        for number, (a, b) in enumerate(zip(rounds, its.seeds[seed], strict=True))
        for kept, other in zip(a.kept, b.kept, strict=True)
    )


def machine() -> dict[str, str | int]:
    return {
        "machine": platform.machine(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "cores": replicates.cores(),
        "torch's threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def print_rates(rows: list[Timed], best: Timed) -> None:
    print(f"\n{'training steps a second':32}{'steps':>9}{'rounds':>14}{'with start-up':>20}")
    for row in rows:
        print(f"{row.name:32}{row.steps:>9,}", end="")
        for rate, other in zip(row.rates(), best.rates(), strict=True):
            print(f"{rate:>10.0f}/s{rate / other:>7.2f}x", end="")
        print()


def print_rounds(mine: Timed, its: Timed) -> None:
    print(f"\n{'':24}{'early stop at':>18}{'test there, %':>18}{'test at end, %':>18}")
    print(f"{'seed  round      kept':24}" + 3 * f"{'ticket':>10}{'plain':>8}")
    for seed in sorted(mine.seeds):
        for number, (a, b) in enumerate(zip(mine.seeds[seed], its.seeds[seed], strict=True)):
            print(f"{seed:>4}{number:>7}{sum(a.kept):>10,}   ", end="")
            print(f"{a.early_stop:>10}{b.early_stop:>8}", end="")
            print(f"{100 * a.test_there:>10.2f}{100 * b.test_there:>8.2f}", end="")
            print(f"{100 * a.test_at_end:>10.2f}{100 * b.test_at_end:>8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time rounds of the LeNet ladder.")
    parser.add_argument("--iterations", type=int, default=3000, help="a round; the paper: 50000")
    parser.add_argument("--rounds", type=int, default=2, help="cuts, each before one more training")
    parser.add_argument("--data", type=Path, default=Path("data"), help="holds mnist/")
    parser.add_argument("--json", action="store_true", help="print JSON, not tables")
    options = parser.parse_args()
    plan = Plan(options.rounds, options.iterations, options.data)
    try:
        rows = measure(plan)
    except TicketError as problem:
        raise SystemExit(f"Error: {problem}") from None
    best = [row for row in rows if row.name.startswith("plain")][-1]
    pair = next(row for row in rows if row.name == PAIR)
    alike, ratio = same_counts(pair, best), pair.rates()[0] / best.rates()[0]
    if options.json:
        settings = {"machine": machine(), "rounds": plan.rounds, "iterations": plan.iterations}
        results = {"same counts": alike, "ratio": ratio, "runs": [asdict(row) for row in rows]}
        print(json.dumps(settings | results, indent=2))
        return
    print(f"LeNet-300-100, MNIST, 2 seeds, {plan.rounds + 1} x {plan.iterations:,} steps each")
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    print_rates(rows, best)
    print_rounds(pair, best)
    print(f"\nboth keep the same numbers of weights: {'yes' if alike else 'NO'}")
    print(f"two seeds against the best plain loop: {ratio:.2f}x (goal 3x)")


if __name__ == "__main__":
    main()
