"""Time the exact global selection beside what else can do it: python benchmarks/masks.py

The task: of 23.6 million float32 weights in ten tensors, prune exactly a fifth of those still
kept, the lowest magnitudes over all tensors, so that the masks in memory say so. Once from
fresh masks, once from masks that keep 64 % already. All methods run in turn, in one process, on
the same weights; refilling the masks is not timed. The others need |w| as one row, so making
that row is timed; they then compare with the threshold and get wrong counts where scores tie.
"""

import argparse
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from ticket import kernels

# 23.6 million in shapes of a ResNet-50: fewer layers, of 9 thousand to 9 million weights.
SHAPES = [
    (64, 3, 7, 7),
    (64, 64, 3, 3),
    (128, 128, 3, 3),
    (256, 256, 3, 3),
    (512, 512, 3, 3),
    (2048, 512, 1, 1),
    (1024, 2048, 1, 1),
    (1024, 632, 3, 3),
    (2048, 512, 3, 3),
    (1000, 2048),
]
CUT = 0.2  # of what is kept
OURS = "ticket.kernels.select_lowest"


@dataclass(frozen=True)
class Row:
    """What was measured of one method: times in milliseconds, memory as a share of the weights."""

    method: str
    median_ms: float
    lowest_ms: float
    highest_ms: float
    times_ours: float
    extra_memory: float | None
    equals_full_sort: bool


def kept_row(weights: Sequence[Tensor], masks: Sequence[Tensor], *, fresh: bool) -> Tensor:
    """Join |w| of all kept positions."""
    if fresh:
        return torch.cat([weight.flatten() for weight in weights]).abs_()
    return torch.cat([weight[mask] for weight, mask in zip(weights, masks, strict=True)]).abs_()


def cut_at(weights: Sequence[Tensor], masks: Sequence[Tensor], threshold: float) -> None:
    for weight, mask in zip(weights, masks, strict=True):
        mask &= weight.abs() > threshold


Method = Callable[[Sequence[Tensor], Sequence[Tensor], int, bool], None]


def ours(weights: Sequence[Tensor], masks: Sequence[Tensor], count: int, _: bool) -> None:
    kernels.select_lowest(weights, masks, count, absolute=True, names=[""] * len(weights))


def numpy_sort(weights: Sequence[Tensor], masks: Sequence[Tensor], count: int, fresh: bool) -> None:
    row = kept_row(weights, masks, fresh=fresh).numpy()
    row.sort()
    cut_at(weights, masks, float(row[count - 1]))


def numpy_partition(
    weights: Sequence[Tensor], masks: Sequence[Tensor], count: int, fresh: bool
) -> None:
    row = kept_row(weights, masks, fresh=fresh).numpy()
    row.partition(count - 1)
    cut_at(weights, masks, float(row[count - 1]))


def torch_kthvalue(
    weights: Sequence[Tensor], masks: Sequence[Tensor], count: int, fresh: bool
) -> None:
    row = kept_row(weights, masks, fresh=fresh)
    cut_at(weights, masks, float(torch.kthvalue(row, count).values))


def torch_topk(weights: Sequence[Tensor], masks: Sequence[Tensor], count: int, fresh: bool) -> None:
    row = kept_row(weights, masks, fresh=fresh)
    lowest = torch.topk(row, count, largest=False, sorted=False).values
    cut_at(weights, masks, float(lowest.max()))


METHODS: dict[str, Method] = {
    OURS: ours,
    "numpy sort": numpy_sort,
    "numpy partition": numpy_partition,
    "torch.kthvalue": torch_kthvalue,
    "torch.topk": torch_topk,
}
PRUNE = "torch.nn.utils.prune.global_unstructured"


def pruned_modules(weights: Sequence[Tensor], masks: Sequence[Tensor]) -> list[nn.Module]:
    """Give every weight a module, as torch's own pruning wants, with the masks it begins with."""
    modules: list[nn.Module] = []
    for weight, mask in zip(weights, masks, strict=True):
        module = nn.Module()
        module.weight = nn.Parameter(weight)
        if not bool(mask.all()):
            prune.custom_from_mask(module, "weight", mask)  # type: ignore[no-untyped-call]
        modules.append(module)
    return modules


def full_sort(weights: Sequence[Tensor], masks: Sequence[Tensor], count: int) -> Tensor:
    """Find the masks, joined, by a stable sort of everything: the definition."""
    kept = torch.cat([mask.flatten() for mask in masks])
    row = torch.cat([weight.flatten() for weight in weights]).abs_()
    positions = kept.nonzero().flatten()
    kept[positions[torch.sort(row[positions], stable=True).indices[:count]]] = False
    return kept


def timed(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def memory_peak_of(call: Callable[[], None]) -> float | None:
    """Return by how many bytes the process grew while calling; None where Linux does not tell."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not reset.exists():
        call()
        return None

    def kilobytes(field: str) -> int:
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field))

    reset.write_text("5")  # resets the peak to what is resident now
    before = kilobytes("VmRSS")
    call()
    return (kilobytes("VmHWM") - before) * 1024.0


def measure(weights: list[Tensor], start: list[Tensor], runs: int) -> list[Row]:
    """Run every method `runs` times in turn, after one run each that is checked but not timed."""
    kept = sum(int(mask.count_nonzero()) for mask in start)
    count = round(CUT * kept)
    total = sum(weight.numel() for weight in weights)
    fresh = kept == total
    expected = full_sort(weights, start, count)
    masks = [mask.clone() for mask in start]
    times: dict[str, list[float]] = {name: [] for name in [*METHODS, PRUNE]}
    memory: dict[str, float | None] = {}
    equal: dict[str, bool] = {}

    for run in range(runs + 1):
        for name in times:
            for mask, first in zip(masks, start, strict=True):
                mask.copy_(first)
            modules = pruned_modules(weights, start) if name == PRUNE else []

            def call(name: str = name, modules: Sequence[nn.Module] = modules) -> None:
                if name == PRUNE:
                    prune.global_unstructured(
                        [(module, "weight") for module in modules],
                        pruning_method=prune.L1Unstructured,
                        amount=count,
                    )
                else:
                    METHODS[name](weights, masks, count, fresh)

            if run > 0:
                times[name].append(timed(call))
                continue
            peak = memory_peak_of(call)
            memory[name] = None if peak is None else peak / (4 * total)
            found = (
                [module.get_buffer("weight_mask").bool() for module in modules]
                if modules
                else masks
            )
            equal[name] = torch.equal(torch.cat([mask.flatten() for mask in found]), expected)

    medians = {name: statistics.median(values) for name, values in times.items()}
    return [
        Row(
            name,
            medians[name],
            min(values),
            max(values),
            medians[name] / medians[OURS],
            memory[name],
            equal[name],
        )
        for name, values in times.items()
    ]


def machine(threads: int) -> dict[str, str | int]:
    return {
        "machine": platform.machine(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "kernels": kernels.describe().isa,
        "cores": os.cpu_count() or 0,
        "threads": threads,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def print_table(title: str, rows: Sequence[Row]) -> None:
    print(f"\n{title}")
    print(
        f"{'method':42}{'median':>10}{'lowest':>10}{'highest':>10}{'ratio':>8}{'memory':>9}  exact"
    )
    for row in rows:
        extra = "?" if row.extra_memory is None else f"{row.extra_memory:.1%}"
        print(
            f"{row.method:42}{row.median_ms:>7.1f} ms{row.lowest_ms:>7.1f} ms"
            f"{row.highest_ms:>7.1f} ms{row.times_ours:>7.1f}x{extra:>9}"
            f"  {'yes' if row.equals_full_sort else 'NO'}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the exact global selection of weights.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="print JSON, not tables")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    generator = torch.Generator().manual_seed(0)
    # Each layer with the spread that its fan-in gives it at initialisation.
    weights = [
        torch.randn(shape, generator=generator) * math.sqrt(2 / math.prod(shape[1:]))
        for shape in SHAPES
    ]
    fresh = [torch.ones(shape, dtype=torch.bool) for shape in SHAPES]
    cut = [torch.rand(shape, generator=generator) < (1 - CUT) ** 2 for shape in SHAPES]
    results = {
        "from fresh masks": measure(weights, fresh, options.runs),
        "from masks that keep 64 %": measure(weights, cut, options.runs),
    }

    if options.json:
        tables = {title: [asdict(row) for row in rows] for title, rows in results.items()}
        print(json.dumps({"machine": machine(options.threads), "results": tables}, indent=2))
        return
    total = sum(weight.numel() for weight in weights)
    print(f"{total / 1e6:.1f} million weights in {len(weights)} tensors; {options.runs} runs each;")
    print(", ".join(f"{key} {value}" for key, value in machine(options.threads).items()))
    for title, rows in results.items():
        print_table(f"prune {CUT:.0%} {title}", rows)


if __name__ == "__main__":
    main()
