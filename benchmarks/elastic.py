"""Stretch and squeeze tickets: python benchmarks/elastic.py STUDY --data DATA --runs RUNS

STUDY is mlp (784, 300 x n, 100, 10 on MNIST and Fashion-MNIST, 2 to 5 hidden layers of 300, survivors
rewound to iteration 0) or resnet (CIFAR ResNet-14 and 20, rewound to iteration 200). For each data
set, seed and depth: iterative magnitude pruning to 90 % (mlp: with its re-initialised and random
controls); then every found ticket goes to every other depth by `ticket transform` and is trained there
beside its own two controls. Every training of a study has the same schedule. What is done already is
read, so the script can be stopped and run again; the figures of a seed are written to OUT as soon as
they are whole.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

import ticket
from ticket.finding import Finding, find_one
from ticket.request import Request

CONTROLS = ("reinit", "random")


@dataclass(frozen=True)
class Study:
    """Hold what is compared: networks by depth, data sets, how tickets are found and trained."""

    model: Callable[[int], dict[str, Any]]
    normal_units: Callable[[int], int]  # units of a stage that can be repeated
    datasets: tuple[str, ...]
    depths: tuple[int, ...]
    method: str
    training: dict[str, Any]
    recipe: dict[str, Any] = field(default_factory=dict)
    rewind: str | None = None
    controls: tuple[str, ...] = CONTROLS  # of what is found; a transformed ticket always has them


STUDIES = {
    "mlp": Study(
        model=lambda depth: {"name": "mlp", "hidden": [300] * depth + [100]},
        normal_units=lambda depth: depth - 1,
        datasets=("mnist", "fashion-mnist"),
        depths=(2, 3, 4, 5),
        method="lth",
        training={"length": "3000it"},
        recipe={"sparsity": 0.9, "rounds": None},
    ),
    "resnet": Study(
        model=lambda depth: {"name": f"resnet{depth}"},
        normal_units=lambda depth: (depth - 2) // 6 - 1,
        datasets=("cifar10",),
        depths=(14, 20),
        method="lth-global",
        training={
            "length": "2ep",
            "schedule": {"name": "multistep", "milestones": ["1.25ep", "1.75ep"], "gamma": 0.1},
            "precision": "bfloat16",
        },
        recipe={"sparsity": 0.9, "rounds": None, "rate": 0.684},
        rewind="200it",
        controls=(),  # two whole trainings each
    ),
}


def found(
    study: Study, options: argparse.Namespace, dataset: str, depth: int, seed: int
) -> Finding:
    """Prune the network of this depth iteratively."""
    model = study.model(depth)
    sets = tuple((f"model.{name}", value) for name, value in model.items() if name != "name")
    return find_one(
        Request(
            method=study.method,
            model=model["name"],
            dataset=dataset,
            data_folder=options.data,
            runs_folder=options.runs,
            recipe=study.recipe,
            training=study.training,
            rewind=study.rewind,
            sets=sets,
            seed=seed,
            controls=study.controls,
            keep="last",
        )
    )


def transformed(
    options: argparse.Namespace, source: Finding, model: dict[str, Any], choice: dict[str, Any]
) -> dict[str, Any]:
    """Take a ticket to another depth, train it there and return what both showed."""
    made = ticket.transform(
        source.folder / "ticket.safetensors",
        model,
        strategy={"name": "elastic", **choice},
        runs_folder=options.runs,
        data_folder=options.data,
    )
    if made.path is None:
        raise RuntimeError("the transform wrote nothing")
    trained = ticket.train(
        made.path,
        controls=() if choice else CONTROLS,
        data_folder=options.data,
        runs_folder=options.runs,
    )
    return {"density": made.ticket.density, "seconds": made.seconds, **accuracies(trained)}


def accuracies(finding: Finding) -> dict[str, Any]:
    """Return the figures of the ticket's training and of its controls'."""
    told = {"ticket": figures(finding.final)}
    for name in CONTROLS:
        control = finding.control(name)
        if control is not None:
            told[name] = figures(control)
    return told


def figures(training: dict[str, Any]) -> dict[str, Any]:
    """Return the early-stop iteration, and the test accuracies in [0, 1] there and at the end."""
    early, end = training["early_stop"], training["end"]
    return {
        "early_stop": early["iteration"],
        "test_there": early["test_accuracy"],
        "test_at_end": end["test_accuracy"],
    }


def rows_of(
    study: Study, options: argparse.Namespace, dataset: str, seed: int
) -> list[dict[str, Any]]:
    """Carry out, or read, everything of one data set and seed."""
    rows: list[dict[str, Any]] = []
    sources = {depth: found(study, options, dataset, depth, seed) for depth in study.depths}
    if options.only_find:
        return rows
    for depth, finding in sources.items():
        searched = finding.rounds[:-1]
        row = {
            "from": depth,
            "to": depth,
            "made": "imp",
            "density": finding.rounds[-1]["density"],
            "iterations": sum(t["iterations"] for r in searched for t in r["trainings"]),
            "seconds": sum(sum(r["seconds"].values()) for r in searched),
            "dense": figures(finding.rounds[0]["trainings"][0]),
        }
        rows.append(row | accuracies(finding))
    for source, finding in sources.items():
        for target in study.depths:
            if target == source:
                continue
            choices: list[dict[str, Any]] = [{}]
            if target > source and study.normal_units(target) % study.normal_units(source):
                choices.append({"replicate": "last"})  # some units get a copy more: which?
            for choice in choices:
                told = "".join(f" {name} {value}" for name, value in choice.items())
                row = {"from": source, "to": target, "made": f"elastic{told}"}
                rows.append(row | transformed(options, finding, study.model(target), choice))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Stretch and squeeze tickets.")
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/elastic"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--datasets", nargs="+", help="some of the study's data sets")
    parser.add_argument("--precision", help="another than the study's, e.g. float32")
    parser.add_argument("--only-find", action="store_true", help="stop before the transforms")
    options = parser.parse_args()
    torch.set_num_threads(1)
    study = STUDIES[options.study]
    if options.precision:  # a processor without bf16 takes twenty times as long in it
        study = replace(study, training=study.training | {"precision": options.precision})
    for seed in options.seeds:
        for dataset in options.datasets or study.datasets:
            rows = rows_of(study, options, dataset, seed)
            if options.only_find:
                continue
            options.out.mkdir(parents=True, exist_ok=True)
            path = options.out / f"{options.study}-{dataset}-seed-{seed}.json"
            document = {"study": options.study, "dataset": dataset, "seed": seed}
            document |= {"training": study.training, "rows": rows}
            path.write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")
            print(path, flush=True)


if __name__ == "__main__":
    main()
