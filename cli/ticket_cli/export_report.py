"""What `ticket export` says on one screen: sizes, multiply-adds, layers, the check, what comes next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ticket.errors import TicketError
from ticket_cli.console import print_table

if TYPE_CHECKING:
    from ticket.exporting.export import Written
    from ticket.exporting.report import LayerReport, Report

HEADINGS = ("layer", "kind", "shape", "density", "runs", "MMACs before", "after", "changed")
MOST = 24  # layers that a screen has room for; beyond, like ones share a line


def print_written(written: Written, ticket: Path, every_layer: bool) -> None:
    """Print what was written and what was done to the network."""
    size, report = written.size, written.lowered.report
    has_plan = _has_plan(written.paths[0])
    for number, path in enumerate(written.paths):
        click.echo(f"{'written' if number == 0 else '':<9}{path}, {path.stat().st_size:,} bytes")
    smaller = f"{written.dense_bytes / written.bytes:.1f} times as large"
    click.echo(f"{'dense':<9}{written.dense_bytes:,} bytes, {smaller}")
    if has_plan:
        bound = f"{size.ratio:.3f} x their entropy bound of {size.bound:,.0f}"
        click.echo(f"{'weights':<9}{size.weights:,} bytes, {bound}; biases {size.biases:,}")
        if size.bound:
            least = size.bound + size.biases
            whole = f"{written.bytes / least:.3f} x bound and biases"
            click.echo(
                f"{'':<9}the file: {whole}, {written.bytes / size.bound:.3f} x the bound alone"
            )
    else:
        click.echo(f"{'weights':<9}dense, zeros included: this format has no plan")
    before, after = report.macs_before, report.macs
    fewer = f", {before / after:.1f} times fewer" if 0 < after < before else ""
    click.echo(f"{'compute':<9}{before:,} multiply-adds an image before, {after:,} now{fewer}")
    for line in _of_torch(report) if has_plan else ():
        click.echo(line)
    click.echo()
    layers = report.layers
    folded = len(layers) > MOST and not every_layer
    print_table(
        HEADINGS,
        [_cells(group) for group in (_alike(layers) if folded else [[one] for one in layers])],
        left=("kind", "runs", "changed"),
    )
    if folded:
        click.echo(f"{len(layers)} layers, like ones in one line; --layers lists them all")
    click.echo()
    found = written.agreement
    click.echo(
        f"{'checked':<9}{found.images} {found.source}: the largest difference from PyTorch is "
        f"{found.difference:.1e}\n{'':<9}of an image's largest output; {_flips(found.flips)}"
    )
    click.echo(f"{'next':<9}ticket show {written.paths[0]}")
    if has_plan:
        click.echo(f"{'':<9}ticket bench {written.paths[0]} --ticket {ticket} --against eager")


def document(written: Written, ticket: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Return the same for machines."""
    size, report = written.size, written.lowered.report
    plan = {
        "bytes": size.plan,
        "weights_bytes": size.weights,
        "biases_bytes": size.biases,
        "bound_bytes": size.bound,
    }
    return {
        "ticket": str(ticket),
        "format": given["format"],
        "values": given["values"],
        "batch": given["batch"] or 0,
        "normalize": given["normalize"],
        "files": [str(path) for path in written.paths],
        "bytes": written.bytes,
        "dense_bytes": written.dense_bytes,
        "plan": plan if _has_plan(written.paths[0]) else None,
        "torch": {"unknown": list(report.unknown), "left": list(report.left)},
        "macs_before": report.macs_before,
        "macs": report.macs,
        "layers": [asdict(layer) for layer in report.layers],
        "unknown": list(report.unknown),
        "checked": asdict(written.agreement),
    }


def _has_plan(path: Path) -> bool:
    from ticket.exporting.container import find_plans

    try:
        return bool(find_plans(path).plans)
    except TicketError:
        return False


def _of_torch(report: Report) -> list[str]:
    """Say which operators the executor does not run, if there are any."""
    if not report.unknown:
        return []
    left = f"; between them also {_counted(report.left)}" if report.left else ""
    plans = "plan" if report.plans == 1 else "plans"
    return [
        f"{'torch':<9}runs what the executor does not know: {_counted(report.unknown)}{left}",
        f"{'':<9}around {report.plans} {plans} of the rest",
    ]


def _counted(names: Sequence[str]) -> str:
    times = Counter(names)
    return ", ".join(f"{name} x {n}" if n > 1 else name for name, n in times.items())


def _flips(count: int) -> str:
    return f"{count} change class" if count else "no class changes"


def _alike(layers: Sequence[LayerReport]) -> list[list[LayerReport]]:
    """Put layers of one kind, shape and kernel together, in the order of the first of each."""
    groups: dict[tuple[object, ...], list[LayerReport]] = {}
    for layer in layers:
        groups.setdefault((layer.kind, layer.shape_before, layer.dense), []).append(layer)
    return list(groups.values())


def _cells(group: Sequence[LayerReport]) -> list[str]:
    first = group[0]
    weights = sum(prod(layer.shape_before) for layer in group)
    kept = sum(layer.kept for layer in group)
    more = f" and {len(group) - 1} like it" if len(group) > 1 else ""
    return [
        first.name + more,
        first.kind,
        " x ".join(map(str, first.shape_before)),
        f"{100 * kept / weights:.2f} %",
        "-" if not kept else "dense" if first.dense else "sparse",
        f"{sum(layer.macs_before for layer in group) / 1e6:.3f}",
        f"{sum(layer.macs for layer in group) / 1e6:.3f}",
        _changed(group),
    ]


def _changed(group: Sequence[LayerReport]) -> str:
    """Say what was fused into the layers and which channels were dropped."""
    fused = dict.fromkeys(word for layer in group for word in layer.fused)
    filters = sum(layer.dropped_filters for layer in group)
    inputs = sum(layer.dropped_inputs for layer in group)
    words = [f"+ {', '.join(fused)}"] if fused else []
    words += [f"{filters} filters dropped"] if filters else []
    words += [f"{inputs} inputs dropped"] if inputs else []
    return "; ".join(words)
