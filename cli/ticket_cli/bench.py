"""`ticket bench`: exported files raced against dense engines on the same weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ticket.errors import UsageError
from ticket_cli import options
from ticket_cli.console import print_table

if TYPE_CHECKING:
    from ticket.benching.bench import Bench, Row

HEADINGS = ("batch", "threads", "engine", "kind", "median ms", "10 %", "90 %", "images/s")
DENSE = ("differs", "x fastest dense")


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."
)
@options.together(
    click.option(
        "--ticket",
        metavar="TICKET",
        help="The trained ticket that the files were exported from; dense engines run it.",
    ),
    click.option(
        "--against",
        metavar="NAME,...",
        default="",
        help="Dense engines: eager, torchscript, compile, onnxruntime, openvino, deepsparse.  "
        "[default: eager,torchscript with --ticket]",
    ),
    click.option(
        "--batch", metavar="N,...", default="1,64", help="Images a call.  [default: 1,64]"
    ),
    click.option("--threads", metavar="N,...", default="1", help="Threads a call.  [default: 1]"),
    click.option(
        "--seconds",
        type=click.FloatRange(min=0, min_open=True),
        default=1.0,
        help="Time for every engine, batch and number of threads.  [default: 1]",
    ),
    options.data_folder,
    options.runs_folder,
    options.as_json,
    options.debug_option,
)
def bench(
    files: tuple[Path, ...],
    ticket: str | None,
    against: str,
    batch: str,
    threads: str,
    seconds: float,
    data_folder: Path,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Race exported files, and dense engines beside them.

    \b
    ticket bench resnet20.tkt --ticket resnet20 --against eager,compile,onnxruntime

    All take turns on the same images. Engines that are not installed are named and left out.
    """
    batches, counts = _numbers("--batch", batch), _numbers("--threads", threads)
    engines = options.names_in(against)

    from ticket.benching.bench import bench as raced
    from ticket.locate import locate

    path = None if ticket is None else locate(ticket, runs_folder, trained=True)
    if path is not None and not engines:
        engines = ("eager", "torchscript")
    found = raced(
        files,
        against=engines,
        ticket=path,
        batches=batches,
        threads=counts,
        seconds=seconds,
        data_folder=data_folder,
    )
    if as_json:
        click.echo(json.dumps(_document(found), indent=1))
    else:
        _print(found)


def _numbers(flag: str, text: str) -> tuple[int, ...]:
    names = options.names_in(text)
    if not names or not all(name.isdecimal() and int(name) > 0 for name in names):
        raise UsageError(f"{flag} wants numbers such as 1,64, got '{text}'")
    return tuple(dict.fromkeys(int(name) for name in names))


def _print(found: Bench) -> None:
    with_dense = any(row.difference is not None for row in found.rows)
    headings = HEADINGS + (DENSE if with_dense else ())
    lines = [_cells(row, found)[: len(headings)] for row in found.rows]
    print_table(headings, lines, left=("engine", "kind"))
    if with_dense:
        click.echo("differs: largest difference from PyTorch, as a share of the largest output")
    for name, reason in found.missing:
        click.echo(f"left out: {name}: {reason}")


def _cells(row: Row, found: Bench) -> list[str]:
    fastest, time = _fastest_dense(row, found), row.timing
    return [
        str(row.batch),
        str(row.threads),
        row.name,
        row.kind,
        f"{1e3 * time.median:.4g}",
        f"{1e3 * time.low:.4g}",
        f"{1e3 * time.high:.4g}",
        f"{row.images_per_second:,.0f}",
        "-" if row.difference is None else f"{row.difference:.1e}",
        "-" if fastest is None else f"{fastest / time.median:.2f}",
    ]


def _fastest_dense(row: Row, found: Bench) -> float | None:
    """Return the lowest median of a dense engine on the same batch and threads, in seconds."""
    cell = (row.batch, row.threads)
    dense = [r for r in found.rows if r.kind == "dense" and (r.batch, r.threads) == cell]
    return min((r.timing.median for r in dense), default=None)


def _document(found: Bench) -> dict[str, Any]:
    return {
        "rows": [_row(row) for row in found.rows],
        "left_out": [{"name": name, "reason": reason} for name, reason in found.missing],
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "engine": row.name,
        "kind": row.kind,
        "batch": row.batch,
        "threads": row.threads,
        "calls": row.timing.calls,
        "median_seconds": row.timing.median,
        "p10_seconds": row.timing.low,
        "p90_seconds": row.timing.high,
        "images_per_second": row.images_per_second,
        "difference": row.difference,
    }
