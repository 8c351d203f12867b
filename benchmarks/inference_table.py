"""Tables of what benchmarks/inference.py has measured: python benchmarks/inference_table.py FOLDER

Prints Markdown: a line a network, sparsity, batch and number of threads with every engine's median in
milliseconds, the times of DeepSparse and of the fastest dense fp32 engine over ours, and our multiply-adds
a second; then the geometric means and the cells that miss the goals.
"""

import argparse
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

DENSE = ("onnxruntime", "openvino", "compile", "torchscript")
GOALS = {90: 3.0, 95: 5.0, 98: 10.0}  # over the fastest dense engine
NOISE = 0.07  # two runs of the same engine differ by so much here


class Cell:
    """Hold one race at one sparsity."""

    def __init__(self, document: dict[str, Any], ours: dict[str, Any]) -> None:
        self.network = str(document["network"])
        self.batch, self.threads = int(document["batch"]), int(document["threads"])
        self.sparsity = int(ours["sparsity"])
        self.row = ours
        self.ours = float(ours["median_ms"])
        dense = (*DENSE, "openvino-default")  # timed once, for their time does not depend on zeros
        here = [
            r for r in document["rows"] if r["engine"] in dense or r["sparsity"] == self.sparsity
        ]
        self.wrong = {str(r["engine"]) for r in here if "wrong" in r}
        here = [r for r in here if "wrong" not in r]
        self.times = {str(r["engine"]): float(r["median_ms"]) for r in here}
        self.memory = {str(r["engine"]): int(r.get("memory_bytes", 0)) for r in here}

    @property
    def dense(self) -> float:
        """Return the fastest dense fp32 engine's time over ours."""
        return min(self.times[name] for name in DENSE if name in self.times) / self.ours

    def over(self, engine: str) -> float | None:
        return self.times[engine] / self.ours if engine in self.times else None

    @property
    def name(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{self.network} {self.sparsity} %, batch {self.batch}, {threads}"


def cells(folder: Path) -> Iterator[Cell]:
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        for row in document["rows"]:
            if row["engine"] == "ours":
                yield Cell(document, row)


def mean(values: Iterable[float]) -> float:
    found = [math.log(value) for value in values]
    return math.exp(sum(found) / len(found))


def time_told(cell: Cell, engine: str) -> str:
    if engine in cell.times:
        return f"{cell.times[engine]:.4g}"
    return "wrong" if engine in cell.wrong else "-"


def print_cells(found: list[Cell]) -> None:
    others = ["deepsparse", *DENSE, "openvino-default", "csr"]
    engines = [name for name in others if any(name in cell.times for cell in found)]
    heads = ["network", "%", "batch", "threads", "ours", *engines, "DeepSparse / ours"]
    heads += ["dense / ours", "GMAC/s"]
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for cell in found:
        ours = f"{cell.ours:.4g} ({cell.row['p10_ms']:.4g} to {cell.row['p90_ms']:.4g})"
        line = [cell.network, cell.sparsity, cell.batch, cell.threads, ours]
        line += [time_told(cell, engine) for engine in engines]
        sparse = cell.over("deepsparse")
        line += ["-" if sparse is None else f"{sparse:.2f}", f"{cell.dense:.2f}"]
        line += [f"{cell.row['kept_macs'] / cell.ours / 1e6:.1f}"]
        print("| " + " | ".join(map(str, line)) + " |")
    print()


def print_means(found: list[Cell]) -> None:
    raced = [c for c in found if "deepsparse" in c.times]
    if raced:
        ratios = {c.name: c.times["deepsparse"] / c.ours for c in raced}
        print(f"- DeepSparse over ours, {len(raced)} cells: {mean(ratios.values()):.2f}")
        rest = [v for n, v in ratios.items() if not n.startswith("vgg19") or "batch 1," not in n]
        print(f"- the same without VGG-19 at batch 1: {mean(rest):.2f}")
        for name, ratio in ratios.items():
            if ratio < 1:
                told = "inside the noise" if ratio > 1 - NOISE else "slower"
                print(f"- below 1: {name}: {ratio:.2f} ({told})")
    for sparsity, goal in GOALS.items():
        here = [c for c in found if c.sparsity == sparsity]
        if not here:
            continue
        least = min(here, key=lambda c: c.dense)
        print(
            f"- fastest dense fp32 engine over ours at {sparsity} %: {mean(c.dense for c in here):.2f}"
            f", least {least.dense:.2f} ({least.name}); goal {goal:g}"
        )
        for cell in here:
            if cell.dense < goal:
                print(f"  - below {goal:g}: {cell.name}: {cell.dense:.2f}")
    default = [(c, r) for c in found if (r := c.over("openvino-default")) is not None]
    if default:
        least_cell, least_ratio = min(default, key=lambda pair: pair[1])
        print(f"- OpenVINO's default (bf16) over ours: least {least_ratio:.2f} ({least_cell.name})")
    by_name = {(c.network, c.sparsity, c.batch, c.threads): c.ours for c in found}
    for (network, sparsity, batch, threads), time in by_name.items():
        one = by_name.get((network, sparsity, batch, 1))
        if threads == 2 and one is not None:
            print(f"- two threads, {network} {sparsity} %, batch {batch}: {one / time:.2f}x")


def print_memory(found: list[Cell]) -> None:
    """Print the largest batch's memory beside what ONNX Runtime takes for the dense network."""
    most = max((cell.batch for cell in found), default=0)
    for cell in found:
        others = {n: b for n, b in cell.memory.items() if n in ("onnxruntime", "deepsparse")}
        if cell.batch == most and cell.memory.get("ours") and others:
            told = ", ".join(f"{n} {b / 2**20:.0f}" for n, b in others.items())
            print(f"- memory in MiB, {cell.name}: ours {cell.memory['ours'] / 2**20:.0f}, {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Tables of benchmarks/inference.py.")
    parser.add_argument("folder", type=Path)
    found = list(cells(parser.parse_args().folder))
    print_cells(found)
    print_means(found)
    print_memory(found)


if __name__ == "__main__":
    main()
