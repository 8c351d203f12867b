"""Every method at equal density and budget: python benchmarks/methods.py STUDY --data DATA --runs RUNS

STUDY is mnist (LeNet-300-100, five densities, every method) or cifar (LeNet-5 on CIFAR-10, two densities).
Every training of a study has the same length, rate and schedule. A method that prunes in rounds runs once
a seed, down to the sparsest level, and shows its ticket's own training at each level on the way; any
other runs once a level. What a method spends beyond the ticket's own training is counted. What is done
already is read, so the script can be stopped and run again; each method's figures of a seed are added to
OUT as soon as they are whole.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from elastic import figures
from ticket.errors import Interrupted, TicketError
from ticket.files import write_atomically
from ticket.finding import Finding, find_one
from ticket.request import Request

Row = dict[str, Any]


@dataclass(frozen=True)
class Method:
    """Hold what is run under one label: a recipe, what is changed in it, which controls go with it."""

    recipe: str
    label: str = ""
    stepwise: bool = False  # one run passes all levels, as rounds
    own: str | None = None  # the control that trains a round's ticket in full, where rounds do not
    controls: tuple[str, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)
    rewind: str | None = None
    sets: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        return self.label or self.recipe


@dataclass(frozen=True)
class Study:
    """Hold the network, the data, the levels and the one training that all methods get."""

    model: str
    dataset: str
    sparsities: tuple[float, ...]
    rounds: tuple[int, ...]  # of a stepwise run, the round that stands at each sparsity
    training: dict[str, Any]
    last_rate: float  # the rate that the schedule ends at: that of fine-tuning
    penalty: float  # the ceiling that makes up for fewer iterations than the papers' 78,200
    patience: int  # evaluations without progress before a stage of UniLTH ends
    methods: tuple[str, ...] | None = None  # all


STUDIES = {
    "mnist": Study(
        model="lenet-300-100",
        dataset="mnist",
        sparsities=(0.8, 0.9, 0.95, 0.98, 0.99),
        rounds=(7, 10, 13, 17, 20),  # of 20 equal ones: densities 10^-0.7, 10^-1, 10^-1.3 ...
        training={"length": "1500it", "eval_every": "250it", "schedule": "multistep"},
        last_rate=1.2e-5,
        penalty=52.0,
        patience=4,
    ),
}
STUDIES["extreme"] = replace(
    STUDIES["mnist"],
    sparsities=(0.995, 0.998, 0.999),
    methods=("dense", "random-erk", "snip", "grasp", "synflow"),
)
# SNIP on the networks, at the density and on the schedule of benchmarks/elastic.py mlp.
STUDIES["mlp"] = Study(
    model="mlp",
    dataset="mnist",
    sparsities=(0.9,),
    rounds=(),
    training={"length": "3000it"},
    last_rate=1.2e-3,
    penalty=1.0,
    patience=10,
)
STUDIES["cifar"] = Study(
    model="lenet-5",
    dataset="cifar10",
    sparsities=(0.8, 0.95),
    rounds=(7, 13),  # of 13 equal ones
    training={
        "length": "3ep",
        "eval_every": "0.5ep",
        "optimizer": "adam",
        "lr": 1.2e-3,
        "weight_decay": 0.0,
        "batch_size": 128,
        "schedule": "multistep",
    },
    last_rate=1.2e-5,
    penalty=74.0,
    patience=3,
)


def methods(study: Study) -> list[Method]:
    """List what a study compares, the cheap ones first."""
    if study.model == "mlp":
        depths = (2, 3, 4, 5)
        return [
            Method("snip", f"snip-{n}", sets=(("model.hidden", [300] * n + [100]),)) for n in depths
        ]
    penalty, doomed = study.penalty, "recipe.round.1.train.regularizers.0.ceiling"
    later = "recipe.round.3.train.regularizers.0"
    once = [
        Method("dense"),
        Method("random-uniform"),
        Method("random-erk"),
        Method("sparse-init"),
        Method("snip", controls=("reinit",)),
        Method("grasp"),
        Method("synflow", controls=("reinit",)),
        Method("set"),
        Method("set-itop"),
        Method("rigl"),
        Method("rigl-itop"),
        Method("gmp"),
        Method("lth-oneshot"),
        Method("lth-oneshot", "rewind-oneshot", rewind="18%"),
        Method("kd"),
        Method("kd-rewind"),
        Method("early-bird"),
        Method("dlth", controls=("reinit",), sets=((doomed, penalty),)),
        Method("dlth-iter", sets=((doomed, penalty),)),
        Method("greg1", sets=(("recipe.round.2.train.regularizers.0.ceiling", penalty),)),
        Method(
            "greg2",
            sets=(
                ("recipe.round.1.train.regularizers.0.ceiling", 0.01 * penalty),
                (f"{later}.floor", 0.01 * penalty),
                (f"{later}.ceiling", penalty),
            ),
        ),
    ]
    slow = {"recipe.round.0.train.lr": study.last_rate, "recipe.final.0.train.lr": study.last_rate}
    patience = (("recipe.round.0.train.patience", study.patience),)
    stepwise = [
        Method("lth", controls=("reinit", "random")),
        Method("lth-global"),
        Method("lth-rewind"),
        Method("lr-rewind"),
        Method("finetune", sets=tuple(slow.items())),
        Method("reinit"),
        Method("lth-basis"),
        Method("unilth", own="same", controls=("reinit",), sets=patience),
        Method("unidlth", own="same", controls=("reinit",), sets=patience),
    ]
    listed = once + [replace(method, stepwise=True) for method in stepwise]
    return [m for m in listed if study.methods is None or m.name in study.methods]


def request(study: Study, options: argparse.Namespace, method: Method, seed: int) -> Request:
    """Return what is the same at every level."""
    return Request(
        method=method.recipe,
        model=study.model,
        dataset=study.dataset,
        data_folder=options.data,
        runs_folder=options.runs,
        training=study.training,
        rewind=method.rewind,
        sets=method.sets,
        seed=seed,
    )


def spent(rounds: list[Row]) -> int:
    """Return the iterations of every training in these rounds."""
    return sum(training["iterations"] for found in rounds for training in found["trainings"])


def control(finding: Finding, name: str, number: int) -> Row:
    """Return the last training of a control of one round."""
    for found in finding.controls:
        if found["control"] == name and found["at_round"] == number:
            return dict(found["trainings"][-1])
    raise KeyError(f"{name} at round {number}")


def stepwise_rows(
    study: Study, options: argparse.Namespace, method: Method, seed: int
) -> Iterator[Row]:
    """Run down to the sparsest level and yield every level's row."""
    wanted = (*((method.own,) if method.own else ()), *method.controls)
    finding = find_one(
        replace(
            request(study, options, method, seed),
            recipe={"sparsity": study.sparsities[-1], "rounds": study.rounds[-1], "rate": None},
            controls=wanted,
            control_rounds=study.rounds,
        )
    )
    for sparsity, number in zip(study.sparsities, study.rounds, strict=True):
        found = finding.rounds[number]
        own = control(finding, method.own, number) if method.own else found["trainings"][0]
        yield {
            "method": method.name,
            "sparsity": sparsity,
            "density": found["density"],
            "iterations": own["iterations"],
            "spent": spent(finding.rounds[:number]),
            "ticket": figures(own),
            **{name: figures(control(finding, name, number)) for name in method.controls},
        }


def level_row(
    study: Study, options: argparse.Namespace, method: Method, seed: int, sparsity: float | None
) -> Row:
    """Run one level and return its row."""
    row: Row = {"method": method.name, "sparsity": sparsity or 0.0}
    asked = request(study, options, method, seed)
    try:
        finding = find_one(
            replace(
                asked,
                recipe={} if sparsity is None else {"sparsity": sparsity},
                controls=method.controls,
            )
        )
    except Interrupted:
        raise
    except TicketError as refusal:
        return row | {"refused": str(refusal)}
    own = finding.rounds[-1]["trainings"][-1]
    row |= {
        "density": finding.rounds[-1]["density"],
        "iterations": own["iterations"],
        "spent": spent(finding.rounds) - own["iterations"],
        "ticket": figures(own),
    }
    for name in method.controls:
        trained = finding.control(name)
        if trained is not None:
            row[name] = figures(trained)
    return row


def rows_of(study: Study, options: argparse.Namespace, method: Method, seed: int) -> list[Row]:
    """Carry out, or read, one method of one seed."""
    if method.stepwise:
        return list(stepwise_rows(study, options, method, seed))
    if method.recipe == "dense":
        return [level_row(study, options, method, seed, None)]
    return [level_row(study, options, method, seed, level) for level in study.sparsities]


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare methods at equal density and budget.")
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/methods"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", help="some of the study's, by name")
    options = parser.parse_args()
    torch.set_num_threads(1)
    study = STUDIES[options.study]
    options.out.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        path = options.out / f"{options.study}-seed-{seed}.json"
        for method in methods(study):
            if options.methods and method.name not in options.methods:
                continue
            document: Row = {"study": options.study, "seed": seed, "training": study.training}
            rows: list[Row] = []
            if path.exists():
                rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
            if any(row["method"] == method.name for row in rows):
                continue
            rows += rows_of(study, options, method, seed)
            lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
            head = json.dumps(document)[:-1]
            write_atomically(path, f'{head}, "rows": [\n{lines}\n]}}\n'.encode())
            print(seed, method.name, flush=True)


if __name__ == "__main__":
    main()
