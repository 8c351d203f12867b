"""Turn finished runs of several seeds into a Markdown table and a plot: mean and spread over the seeds.

    python benchmarks/report.py runs/lenet-300-100-mnist-lth-* [--plot docs/results/lth-mnist.svg]

All runs must be of one method, data set and ladder. The spread is the standard deviation over the seeds.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ticket.finding import Finding, findings_of

Take = Callable[[dict[str, Any]], float]

COLUMNS: dict[str, Take] = {
    "early-stop iteration": lambda t: float(t["early_stop"]["iteration"]),
    "validation % there": lambda t: 100 * float(t["early_stop"]["validation_accuracy"]),
    "test % there": lambda t: 100 * float(t["early_stop"]["test_accuracy"]),
    "test % at the end": lambda t: 100 * float(t["end"]["test_accuracy"]),
    "train % at the end": lambda t: 100 * float(t["end"]["train_accuracy"]),
}


def spread(values: Sequence[float]) -> str:
    """Return mean ± standard deviation, iterations without decimals."""
    digits = 0 if statistics.fmean(values) > 200 else 2
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.fmean(values):,.{digits}f} ± {deviation:.{digits}f}"


def trainings(findings: Sequence[Finding], control: str, number: int) -> list[dict[str, Any]]:
    """Return what each seed showed at a round: the first training, or that of a control."""
    if not control:
        last = number == len(findings[0].rounds) - 1
        return [f.rounds[number]["trainings"][-1 if last else 0] for f in findings]
    return [
        c["trainings"][-1]
        for f in findings
        for c in f.controls
        if c["control"] == control and c["at_round"] == number
    ]


def table(findings: Sequence[Finding]) -> str:
    """Return the Markdown table: a row a round, and one a control."""
    names = sorted({c["control"] for f in findings for c in f.controls})
    lines = [
        "| round | start | kept weights | density % | seeds | " + " | ".join(COLUMNS) + " |",
        "|" + "---|" * (5 + len(COLUMNS)),
    ]
    for number, figures in enumerate(findings[0].rounds):
        for control in ["", *names]:
            found = trainings(findings, control, number)
            if not found:
                continue
            start = control or ("dense" if number == 0 else "ticket")
            cells = [spread([take(t) for t in found]) for take in COLUMNS.values()]
            density = 100 * figures["kept"] / figures["prunable"]
            lines.append(
                f"| {number} | {start} | {figures['kept']:,} | {density:.2f} | {len(found)} | "
                + " | ".join(cells)
                + " |"
            )
    return "\n".join(lines)


def cuts(findings: Sequence[Finding]) -> str:
    """Return what the cuts of all seeds showed: overlap, size of the doomed, loss of accuracy."""
    found = [r["cut"] for f in findings for r in f.rounds if "cut" in r]
    drops = [100 * (c["before"]["test_accuracy"] - c["after"]["test_accuracy"]) for c in found]
    ratios = [c["doomed_over_kept"] for c in found if "doomed_over_kept" in c]
    lines = [
        f"cuts: {len(found)}",
        f"|doomed| over |kept|: median {statistics.median(ratios):.1e}, largest {max(ratios):.1e}",
        f"test accuracy lost at the cut (points): mean {statistics.fmean(drops):.3f}, "
        f"largest {max(drops):.2f}, smallest {min(drops):.2f}",
    ]
    overlaps = [c["overlap"] for c in found if "overlap" in c]
    if overlaps:
        lines.append(
            f"overlap of doomed and removed: mean {100 * statistics.fmean(overlaps):.3f} %, "
            f"smallest {100 * min(overlaps):.3f} %"
        )
    return "\n".join(lines)


def cost(findings: Sequence[Finding]) -> str:
    """Return what the runs cost without their controls: iterations and seconds a seed."""
    iterations = [
        float(sum(t["iterations"] for r in f.rounds for t in r["trainings"])) for f in findings
    ]
    seconds = [float(sum(sum(r["seconds"].values()) for r in f.rounds)) for f in findings]
    return f"iterations a seed: {spread(iterations)}; seconds a seed: {spread(seconds)}"


def plot(findings: Sequence[Finding], path: Path) -> None:
    """Draw early-stop iteration and test accuracy against density, with the spread as a band."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4))
    names = sorted({c["control"] for f in findings for c in f.controls})
    rounds = range(len(findings[0].rounds))
    for axis, column in zip(axes, ("early-stop iteration", "test % at the end"), strict=True):
        for name in ["", *names]:
            points = [
                (100 * findings[0].rounds[r]["density"], [COLUMNS[column](t) for t in found])
                for r in rounds
                if (found := trainings(findings, name, r))
            ]
            means = [statistics.fmean(v) for _, v in points]
            errors = [statistics.stdev(v) if len(v) > 1 else 0.0 for _, v in points]
            style = {"marker": "o", "ms": 3, "capsize": 2, "lw": 1.2}
            axis.errorbar([d for d, _ in points], means, errors, label=name or "ticket", **style)
        axis.set_xscale("log")
        axis.invert_xaxis()
        axis.set_xlabel("weights remaining, %")
        axis.set_ylabel(column)
        axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the table, the cuts and the cost of the runs named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    findings = [findings_of(run) for run in given.runs]
    print(table(findings), cost(findings), sep="\n\n")
    if any("cut" in r for r in findings[0].rounds):
        print(f"\n{cuts(findings)}")
    if given.plot:
        plot(findings, given.plot)


if __name__ == "__main__":
    main()
