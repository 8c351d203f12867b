"""Tables of what benchmarks/elastic.py has measured: python benchmarks/elastic_table.py FOLDER

Prints Markdown: for each study and data set, test accuracy in % at the early-stop iteration, mean and
standard deviation over the seeds; then the differences that the paper speaks of, paired by seed.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def spread(values: Iterable[float], form: str = "{:.2f}") -> str:
    found = list(values)
    if not found:
        return "not measured"
    mean = form.format(statistics.fmean(found))
    spelled = form.replace("+", "")  # a deviation has no sign
    return mean if len(found) == 1 else f"{mean} ± {spelled.format(statistics.stdev(found))}"


def accuracy(row: Row, which: str) -> float:
    """Return the test accuracy, in %, of a row's ticket, dense network or control."""
    return 100 * float(row[which]["test_there"])


def select(rows: list[Row], **wanted: object) -> list[Row]:
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def print_depths(rows: list[Row]) -> None:
    """Print one line a target depth: dense, found there, brought there from every other depth."""
    depths = sorted({row["to"] for row in rows})
    heads = ["depth", "dense", "IMP", "density %", *(f"from {depth}" for depth in depths)]
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for target in depths:
        imp = select(rows, to=target, made="imp")
        cells = [str(target), spread(accuracy(r, "dense") for r in imp)]
        cells += [spread(accuracy(r, "ticket") for r in imp)]
        cells += [spread(100 * r["density"] for r in imp)]
        for source in depths:
            moved = select(rows, **{"from": source, "to": target, "made": "elastic"})
            cells.append("-" if source == target else spread(accuracy(r, "ticket") for r in moved))
        print("| " + " | ".join(cells) + " |")
    print()


def print_controls(rows: list[Row]) -> None:
    """Print each transformed ticket beside its own controls."""
    print("| from | to | density % | transformed | its reinit | its random | early stop |")
    print("|" + "---|" * 7)
    pairs = sorted({(r["from"], r["to"]) for r in rows if r["made"] == "elastic"})
    for source, target in pairs:
        moved = select(rows, **{"from": source, "to": target, "made": "elastic"})
        cells = [str(source), str(target), spread(100 * r["density"] for r in moved)]
        for which in ("ticket", "reinit", "random"):
            cells.append(spread(accuracy(r, which) for r in moved))
        cells.append(spread((r["ticket"]["early_stop"] for r in moved), "{:,.0f}"))
        print("| " + " | ".join(cells) + " |")
    print()


def paired(
    rows: list[Row], chosen: Callable[[Row], bool], against: Callable[[Row], float | None]
) -> list[float]:
    """Return, in points, how far the chosen transformed tickets lie above something else."""
    found = []
    for row in rows:
        other = against(row) if chosen(row) else None
        if other is not None:
            found.append(accuracy(row, "ticket") - other)
    return found


def print_differences(rows: list[Row]) -> None:
    """Print the paper's claims as differences of test accuracy, in points, of the same seed."""

    def elastic(row: Row) -> bool:
        return bool(row["made"] == "elastic")

    def imp(row: Row) -> float | None:
        same = select(rows, to=row["to"], made="imp", seed=row["seed"])
        return accuracy(same[0], "ticket") if same else None

    def first(row: Row) -> float | None:
        same = {name: row[name] for name in ("from", "to", "seed")}
        others = select(rows, **same, made="elastic")
        return accuracy(others[0], "ticket") if others else None

    def line(name: str, values: list[float]) -> None:
        below = sum(value < 0 for value in values)
        print(f"| {name} | {spread(values, '{:+.2f}')} | {below} of {len(values)} |")

    print("| transformed ticket against | points | below it |\n|---|---|---|")
    line("IMP on the target", paired(rows, elastic, imp))
    for far in sorted({abs(r["from"] - r["to"]) for r in rows if elastic(r)}):
        near = [r for r in rows if abs(r["from"] - r["to"]) == far or r["made"] == "imp"]
        line(f"IMP on the target, {far} away", paired(near, elastic, imp))
    line("its re-initialisation", paired(rows, elastic, lambda r: accuracy(r, "reinit")))
    line("its random control", paired(rows, elastic, lambda r: accuracy(r, "random")))
    line(
        "the same, replicate last against first",
        paired(rows, lambda r: bool(r["made"] == "elastic replicate last"), first),
    )
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description="Tables of benchmarks/elastic.py.")
    parser.add_argument("folder", type=Path)
    studies: dict[str, list[Row]] = {}
    for path in sorted(parser.parse_args().folder.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        title = f"{document['study']} on {document['dataset']}"
        rows = [row | {"seed": document["seed"]} for row in document["rows"]]
        studies.setdefault(title, []).extend(rows)
    for title, rows in studies.items():
        print(f"### {title}: {len({row['seed'] for row in rows})} seeds\n")
        print_depths(rows)
        print_controls(rows)
        print_differences(rows)
        imp = select(rows, made="imp")
        for depth in sorted({row["to"] for row in imp}):
            found = select(imp, to=depth)
            iterations = spread((r["iterations"] for r in found), "{:,.0f}")
            seconds = spread((r["seconds"] for r in found), "{:,.0f}")
            print(f"- IMP at depth {depth}: {iterations} iterations, {seconds} s a ticket")
        moved = [r["seconds"] for r in rows if r["made"] != "imp"]
        print(f"- a transform: 0 iterations, {spread(moved)} s\n")


if __name__ == "__main__":
    main()
