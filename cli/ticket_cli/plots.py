"""Plots: test accuracy over density, where matplotlib is installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ticket.errors import TicketError, UsageError

if TYPE_CHECKING:
    from ticket.comparing.rows import Row

KINDS = (".png", ".svg", ".pdf")


def check(path: Path) -> None:
    """Refuse a plot that cannot be drawn, before anything is read. Raises TicketError."""
    if path.suffix not in KINDS:
        raise UsageError(f"--plot wants a file that ends in {', '.join(KINDS)}, got {path}")
    if find_spec("matplotlib") is None:
        raise TicketError("--plot wants matplotlib: pip install 'ticket[plots]'")


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw one curve a name: mean test accuracy at the end over density, bars of one deviation."""

    from matplotlib.figure import Figure

    from ticket.comparing.curves import curves

    # Not pyplot: a figure of its own leaves no state for the next plot.
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, points in curves(rows).items():
        x, y, spread = zip(*points, strict=True)
        axes.errorbar(x, y, spread, marker="o", capsize=3, label=name)
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_xlabel("density (kept / prunable) in %")
    axes.set_ylabel("test accuracy at the end in %")
    axes.legend()
    try:
        figure.savefig(path)
    except OSError as problem:
        raise TicketError(f"cannot write {path}: {problem.strerror}") from problem
