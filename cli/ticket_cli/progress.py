"""Progress: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ticket_cli.pace import Pace, clock

if TYPE_CHECKING:
    from ticket.watch import Progress, Report

LINE_SECONDS = 30.0  # between lines of one seed when no round ends


@contextmanager
def shown(
    seeds: Sequence[int],
    *,
    quiet: bool,
    on_stderr: bool,
    idle: str = "Nothing is left to train; this is what the run has shown:\n",
) -> Iterator[Report]:
    """Show what the runs of these seeds report inside the block; `on_stderr` leaves stdout free.

    `idle` is said when nothing was reported.
    """
    if quiet:
        yield lambda progress: None
        return
    heard = False

    def hear(progress: Progress) -> None:
        nonlocal heard
        heard = True
        report(progress)

    stream = sys.stderr if on_stderr else sys.stdout
    with _bars(seeds, on_stderr) if stream.isatty() else _lines(on_stderr) as report:
        yield hear
    if not heard and idle:
        click.echo(idle, err=on_stderr)


def _place(p: Progress) -> str:
    return f"control {p.control}" if p.control else f"round {p.round}/{p.rounds}"


@contextmanager
def _lines(on_stderr: bool) -> Iterator[Report]:
    yield _Lines(on_stderr).report


class _Lines:
    """Write a line when a training ends, and one now and then in a long one."""

    def __init__(self, on_stderr: bool) -> None:
        self._stderr = on_stderr
        self._began = time.monotonic()
        self._written: dict[int, float] = {}
        self._latest: dict[int, Progress] = {}

    def report(self, p: Progress) -> None:
        """Take one progress."""
        now = time.monotonic()
        if p.kind == "evaluated":
            self._latest[p.seed] = p
            if now - self._written.setdefault(p.seed, now) > LINE_SECONDS:
                self._write(p, now)
        elif p.kind == "checked" and now - self._written.setdefault(p.seed, now) > LINE_SECONDS:
            self._written[p.seed] = now
            click.echo(f"{clock(now - self._began):>8}  {p.phase} {p.text}", err=self._stderr)
        elif p.kind == "phase" and p.text == "train" and p.seed in self._latest:
            self._write(self._latest.pop(p.seed), now)

    def _write(self, p: Progress, now: float) -> None:
        self._written[p.seed] = now
        loss = "" if p.loss is None else f"  validation loss {p.loss:.4f}"
        accuracy = "" if p.accuracy is None else f"  accuracy {100 * p.accuracy:.2f} %"
        click.echo(
            f"{clock(now - self._began):>8}  seed {p.seed}  {_place(p)}"
            f"  density {100 * p.density:.2f} %  {p.phase} {p.step}/{p.steps}{loss}{accuracy}",
            err=self._stderr,
        )


@contextmanager
def _bars(seeds: Sequence[int], on_stderr: bool) -> Iterator[Report]:
    """Show one bar a seed: where it is, its last figures, the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TextColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("seed {task.fields[seed]}"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[figures]}"),
        TextColumn("{task.fields[left]}"),
    )
    console = Console(stderr=on_stderr)
    # Four times a second: more would take time from the training.
    with Bars(*columns, console=console, refresh_per_second=4, transient=True) as bars:

        def bar(seed: int) -> TaskID:
            return bars.add_task("waits", total=1, seed=seed, figures="", left="")

        tasks = {seed: bar(seed) for seed in seeds}
        paces = {seed: Pace() for seed in seeds}

        def report(p: Progress) -> None:
            if p.seed not in tasks:  # a verification does not know its run's seed beforehand
                tasks[p.seed], paces[p.seed] = bar(p.seed), Pace()
            task = tasks[p.seed]
            if p.kind == "done":
                bars.update(task, description="done", left="")
            elif p.kind == "checked":
                bars.update(task, description=f"{p.phase} {p.text}")
            elif p.kind == "evaluated":
                left = paces[p.seed].left(p, time.monotonic())
                bars.update(
                    task,
                    description=f"{_place(p)}  {p.phase}",
                    completed=p.step,
                    total=max(1, p.steps),
                    figures=_figures(p),
                    left="" if left is None else f"{clock(left)} left",
                )

        yield report


def _figures(p: Progress) -> str:
    loss = "" if p.loss is None else f"loss {p.loss:.4f}"
    return loss if p.accuracy is None else f"{loss}  {100 * p.accuracy:.2f} %"
