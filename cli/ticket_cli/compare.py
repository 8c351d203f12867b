"""`ticket compare`: found and transformed tickets, the dense network and controls in one table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ticket_cli import analyses, options, plots, rows
from ticket_cli.compare_document import document
from ticket_cli.compare_tables import print_costs, print_differences
from ticket_cli.console import print_table

if TYPE_CHECKING:
    from ticket.comparing.comparison import Comparison
    from ticket.comparing.rows import Row
    from ticket.comparing.savings import Saving

HEADINGS = (
    *("ticket", "model", "data set", "density %", "seeds", "early stop", "test", "test at end"),
    *("iterations", "seconds", "verdict", "settings"),
)


@click.command()
@click.argument("named", nargs=-1, required=True, metavar="RUN|TICKET...")
@options.together(
    click.option(
        "--plot",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Draw test accuracy over density into a .png, .svg or .pdf (wants matplotlib).",
    ),
    click.option(
        "--masks",
        is_flag=True,
        help="For every two tickets of one network: how far masks overlap beyond chance, and signs agree.",
    ),
    options.runs_folder,
    options.as_json,
    options.debug_option,
)
def compare(
    named: tuple[str, ...], plot: Path | None, masks: bool, runs_folder: Path, as_json: bool
) -> None:
    """Compare found and transformed tickets, and their controls: accuracy, cost, what is noise.

    Each RUN or TICKET is a run's folder, a ticket file, or a model's name (the newest ticket made for
    it). A transformed ticket is shown by its trainings in the runs folder. Seeds share a row.
    """
    from ticket.comparing.comparison import compare as compared

    if plot is not None:
        plots.check(plot)
    comparison = compared(named, runs_folder)
    if plot is not None:
        plots.draw(comparison.rows, plot)
    pairs = analyses.mask_pairs(named, runs_folder) if masks else None
    if as_json:
        extra = {} if pairs is None else {"masks": pairs}
        click.echo(json.dumps(document(comparison) | extra, indent=1))
        return
    lines = [_cells(row) for row in comparison.rows]
    # The last two say nothing where there is no baseline, and where names tell all rows apart.
    shown = [n for n in range(len(HEADINGS)) if n < 10 or any(line[n] for line in lines)]
    print_table(
        [HEADINGS[n] for n in shown],
        [[line[n] for n in shown] for line in lines],
        left=("model", "data set", "verdict", "settings"),
    )
    click.echo(
        "test: accuracy in %, at the early-stop iteration and at the end, ± over seeds\n"
        "iterations, seconds: of training, to find the ticket before it is trained itself\n"
    )
    if pairs is not None:
        analyses.print_pairs(pairs)
    print_costs(comparison.rows)
    print_differences(comparison.differences)
    for line in _notes(comparison):
        click.echo(line)


def _cells(row: Row) -> list[str]:
    """Return the texts under HEADINGS; accuracies and densities in percent."""
    subject, stops = row.subject, row.measured("early_stop", "iteration")
    densities = [100 * value.density for value in row.values]
    iterations, seconds = row.mean("iterations"), row.mean("seconds")
    told_apart = "" if subject.control else ", ".join(_setting(*pair) for pair in row.differs)
    return [
        f"  {subject.control}" if subject.control else subject.what,
        subject.model,
        subject.dataset,
        rows.over_seeds(densities if len(set(densities)) > 1 else densities[:1], "{:.2f}"),
        str(len(stops)) if stops else "-",
        rows.over_seeds(stops, "{:,.0f}"),
        rows.percent(row.measured("early_stop", "test_accuracy")),
        rows.percent(row.measured("end", "test_accuracy")),
        "-" if iterations is None else f"{iterations:,.0f}",
        "-" if seconds is None else f"{seconds:.1f}",
        row.verdict.word if row.verdict else "",
        told_apart,
    ]


def _setting(path: str, value: str) -> str:
    """Return `length 20it` for `training.length`."""
    part, _, name = path.partition(".")
    return f"{name if part in ('training', 'recipe') else path.replace('.', ' ')} {value}"


def _notes(comparison: Comparison) -> list[str]:
    """Return what is said under the table."""
    lines = [_saved(saving) for saving in comparison.savings]
    lines += [f"Not trained yet: ticket train {path}" for path in comparison.untrained]
    lines += [
        f"Left out: {path} is not finished; the command that began it continues it"
        for path in comparison.unfinished
    ]
    return lines + [
        f"Counted once: {path} and {other} train one ticket with one seed"
        for path, other in comparison.repeats
    ]


def _saved(saving: Saving) -> str:
    """Say what a transform saved, a ticket, and what it lives on."""
    (mine, other), (quick, slow) = saving.iterations, saving.seconds
    saved = f"{other - mine:,.0f} training iterations"
    if quick is not None and slow is not None:
        saved += f" and {slow - quick:,.1f} s"
    took = [
        f"'{name}', {100 * density:.2f} % dense: {iterations:,.0f} iterations"
        + ("" if seconds is None else f", {seconds:,.1f} s")
        for name, density, iterations, seconds in zip(
            (saving.transformed, saving.found),
            saving.densities,
            saving.iterations,
            saving.seconds,
            strict=True,
        )
    ]
    reused = saving.source_iterations
    source = "" if reused is None else f" {reused:,.0f} iterations,"
    return (
        f"Saved for {saving.model} on {saving.dataset}: {saved} a ticket ({'; '.join(took)}). "
        f"The source's search,{source} is reused."
    )
