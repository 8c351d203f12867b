"""Tables of what benchmarks/methods.py has measured: python benchmarks/methods_table.py FOLDER STUDY

Prints Markdown: test accuracy in % at the end of the ticket's training, mean and standard deviation over
the seeds, for every method and sparsity; what each method spends before that training; the controls; and
the orderings that the papers report, as differences of the same seed.
"""

import argparse
import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from elastic_table import spread

Row = dict[str, Any]
Claim = tuple[str, str, str]  # what the paper says, the better one, the worse one

# `method:control` is a control of that method's ticket.
CLAIMS: list[Claim] = [
    ("rewinding above fine-tuning", "lth-rewind", "finetune"),
    ("rate rewinding above fine-tuning", "lr-rewind", "finetune"),
    ("fine-tuning above rewinding to 0", "finetune", "lth-global"),
    ("rewinding above rewinding to 0", "lth-rewind", "lth-global"),
    ("a ticket above its masks with new weights", "lth", "lth:reinit"),
    ("a ticket above random masks", "lth", "lth:random"),
    ("UniLTH above LTH", "unilth", "lth"),
    ("UniDLTH above LTH", "unidlth", "lth"),
    ("IMP above SNIP", "lth-global", "snip"),
    ("IMP above GraSP", "lth-global", "grasp"),
    ("IMP above SynFlow", "lth-global", "synflow"),
    ("SNIP above random", "snip", "random-erk"),
    ("GraSP above random", "grasp", "random-erk"),
    ("SynFlow above random", "synflow", "random-erk"),
    ("SNIP does not depend on the initial weights", "snip", "snip:reinit"),
    ("RigL above static", "rigl", "random-erk"),
    ("RigL above SET", "rigl", "set"),
    ("SET above static", "set", "random-erk"),
    ("ITOP: long intervals above RigL's", "rigl-itop", "rigl"),
    ("RST above the same mask untransformed", "dlth", "dlth:reinit"),
    ("RST above LTH", "dlth", "lth"),
    ("iterative RST above one-shot RST", "dlth-iter", "dlth"),
    ("KD on par with rewinding", "kd", "rewind-oneshot"),
    ("KD above rewinding to 0", "kd", "lth-oneshot"),
    ("KD with rewinding above rewinding", "kd-rewind", "rewind-oneshot"),
    ("iterative above one-shot", "lth-global", "lth-oneshot"),
    ("GReg-2 above GReg-1", "greg2", "greg1"),
    ("a sparsity in another basis on par", "lth-basis", "lth"),
    ("sparse-aware initial weights above ordinary ones", "sparse-init", "random-erk"),
]


def read(folder: Path, study: str) -> list[Row]:
    """Return the rows of every seed, with the seed in them."""
    found = []
    for path in sorted(folder.glob(f"{study}-seed-*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        found += [row | {"seed": document["seed"]} for row in document["rows"]]
    return found


def accuracy(row: Row, which: str = "ticket") -> float | None:
    """Return a test accuracy in %; None where the method refused or the control is not there."""
    return 100 * float(row[which]["test_at_end"]) if which in row else None


def cell(values: Iterable[float | None]) -> str:
    found = list(values)
    there = [value for value in found if value is not None]
    told = spread(there) if there else "refused"
    return f"{told} ({len(there)} of {len(found)})" if there and len(there) < len(found) else told


def names(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(row["method"] for row in rows))


def levels(rows: list[Row]) -> list[float]:
    return sorted({row["sparsity"] for row in rows if row["sparsity"]})


def heading(cells: list[str]) -> None:
    print("| " + " | ".join(cells) + " |")
    print("|---|" + "--:|" * (len(cells) - 1))


def print_accuracies(rows: list[Row]) -> None:
    """Print one line a method and control."""
    heading(["method", *(f"{100 * level:g} %" for level in levels(rows)), "iterations"])
    for name in names(rows):
        mine = [row for row in rows if row["method"] == name]
        if name == "dense":
            told = cell(accuracy(row) for row in mine)
            print(f"| dense, at 0 % | {' | '.join([told] + ['' for _ in levels(rows)])} |")
            continue
        whiches = ["ticket", *(w for w in ("reinit", "random") if any(w in row for row in mine))]
        for which in whiches:
            cells = [
                cell(accuracy(row, which) for row in mine if row["sparsity"] == level)
                for level in levels(rows)
            ]
            last = [row for row in mine if row["sparsity"] == levels(rows)[-1] and which in row]
            cost = ""
            if last and which == "ticket":
                before, own = (
                    statistics.fmean(row[part] for row in last) for part in ("spent", "iterations")
                )
                cost = f"{before:,.0f} + {own:,.0f}"
            label = f"`{name}`" if which == "ticket" else f"- its {which}"
            print(f"| {label} | {' | '.join(cells)} | {cost} |")
    print()


def value(rows: list[Row], name: str, seed: int, level: float) -> float | None:
    method, _, which = name.partition(":")
    for row in rows:
        if (row["method"], row["seed"], row["sparsity"]) == (method, seed, level):
            return accuracy(row, which or "ticket")
    return None


def judge(differences: list[float]) -> str:
    """Say whether a difference exceeds the noise: every seed has its sign, and it twice its error."""
    if len(differences) < 2:
        return ""
    mean, error = (
        statistics.fmean(differences),
        statistics.stdev(differences) / len(differences) ** 0.5,
    )
    if all(d > 0 for d in differences) and mean > 2 * error:
        return "+"
    if all(d < 0 for d in differences) and mean < -2 * error:
        return "-"
    return "~"


def print_claims(rows: list[Row]) -> None:
    """Print, for each ordering, the difference at every level."""
    seeds = sorted({row["seed"] for row in rows})
    heading(
        ["the papers say", "the one - the other", *(f"{100 * level:g} %" for level in levels(rows))]
    )
    for said, better, worse in CLAIMS:
        cells = []
        for level in levels(rows):
            pairs = [(value(rows, better, s, level), value(rows, worse, s, level)) for s in seeds]
            found = [a - b for a, b in pairs if a is not None and b is not None]
            cells.append(f"{spread(found, '{:+.2f}')} {judge(found)}" if found else "not measured")
        print(f"| {said} | `{better}` - `{worse}` | {' | '.join(cells)} |")
    print()


def print_beside_elastic(rows: list[Row], folder: Path) -> None:
    """Print SNIP on networks of each depth beside tickets stretched or squeezed to that depth.

    As the elastic study does, at the early-stop iteration; a difference is of one seed, the mean over the
    depths that tickets came from.
    """
    heading(["layers", "SNIP", "elastic", "points", ""])
    for name in names(rows):
        depth = int(name.rpartition("-")[2])
        snip = {
            row["seed"]: 100 * row["ticket"]["test_there"] for row in rows if row["method"] == name
        }
        moved: dict[int, list[float]] = {}
        for path in sorted(folder.glob("mlp-mnist-seed-*.json")):
            document = json.loads(path.read_text(encoding="utf-8"))
            moved[document["seed"]] = [
                100 * row["ticket"]["test_there"]
                for row in document["rows"]
                if row["to"] == depth and row["from"] != depth
            ]
        every = [value for values in moved.values() for value in values]
        apart = [statistics.fmean(moved[seed]) - snip[seed] for seed in snip if moved.get(seed)]
        cells = [str(depth), spread(list(snip.values())), spread(every), spread(apart, "{:+.2f}")]
        print("| " + " | ".join([*cells, judge(apart)]) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the tables of a study of methods.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("study")
    elastic = Path("docs/results/elastic")
    parser.add_argument("--elastic", type=Path, default=elastic, help="of elastic.py, for `mlp`")
    options = parser.parse_args()
    rows = read(options.folder, options.study)
    if options.study == "mlp":
        return print_beside_elastic(rows, options.elastic)
    print_accuracies(rows)
    print_claims(rows)


if __name__ == "__main__":
    main()
