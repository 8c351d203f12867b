"""`ticket data`: which data sets are there, fetching one, where files are put by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from ticket_cli import options
from ticket_cli.console import print_table
from ticket_cli.sections import Verbs


@click.group(cls=Verbs)
def data() -> None:
    """List data sets, fetch one, or say where its files go."""


@data.command("list")
@options.together(options.data_folder, options.as_json, options.debug_option)
def list_(data_folder: Path, as_json: bool) -> None:
    """List the data sets and whether they can be read."""
    from ticket_cli.datasets import here

    found = here(data_folder)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=1))
        return
    headings = ("data set", "state", "what is there")
    lines = [[one.name, "ready" if one.ready else "missing", one.told] for one in found]
    print_table(headings, lines, left=headings)


@data.command()
@click.argument("name")
@options.together(options.data_folder, options.quiet, options.debug_option)
def fetch(name: str, data_folder: Path, quiet: bool) -> None:
    """Download a data set, continue where it stopped, check every file."""
    from ticket.fetching import fetch_data
    from ticket_cli.datasets import download_of, look

    download = download_of(name)
    if download is None:
        click.echo(f"{name} needs no download")
        return
    state = look(name, data_folder)
    if state.ready:
        click.echo(f"{name} is there already: {state.told}")
        return
    with _received(quiet) as report:
        place = fetch_data(download, data_folder, report)
    click.echo(f"{name}: {look(name, data_folder).told} in {place}")


@data.command()
@click.argument("name")
@options.together(options.data_folder, options.as_json, options.debug_option)
def where(name: str, data_folder: Path, as_json: bool) -> None:
    """Say where the files of a data set go by hand, and where they are published."""
    from ticket_cli.datasets import download_of, look

    download = download_of(name)
    place = data_folder / download.folder if download else None
    if as_json:
        files = [asdict(file) for file in download.files] if download else []
        click.echo(json.dumps({"folder": place and str(place), "files": files}, indent=1))
        return
    state = look(name, data_folder)
    click.echo(f"{name}: {state.told}")
    if state.source:
        click.echo(f"source: {state.source}")
    if download is None or place is None:
        return
    click.echo(f"Put these files into {place.absolute()}:")
    for file in download.files:
        unpacked = f", unpacked: {', '.join(download.unpack)}" if download.unpack else ""
        click.echo(f"  {file.name}  {file.bytes:,} bytes, SHA-256 {file.sha256}{unpacked}")
        for url in file.urls:
            click.echo(f"    {url}")


@contextmanager
def _received(quiet: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """Show the bytes that came: a bar a file on a terminal, a line a file elsewhere."""
    if quiet:
        yield None
    elif not sys.stdout.isatty():
        yield _line
    else:
        from rich.progress import DownloadColumn, Progress, TaskID, TransferSpeedColumn

        tasks: dict[str, TaskID] = {}
        columns = (*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns) as bars:

            def report(name: str, received: int, total: int) -> None:
                if name not in tasks:
                    tasks[name] = bars.add_task(name, total=total)
                bars.update(tasks[name], completed=received)

            yield report


def _line(name: str, received: int, total: int) -> None:
    if received == total:
        click.echo(f"{name}  {total:,} bytes")
