"""`ticket ls`: the runs there are, newest first, read without torch."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ticket_cli import options
from ticket_cli.console import print_table

HEADINGS = ("run", "state", "method", "seed", "round", "density", "test", "when")


@click.command()
@options.together(options.runs_folder, options.as_json, options.debug_option)
def ls(runs_folder: Path, as_json: bool) -> None:
    """List runs, newest first."""
    found = [run for path in runs_folder.glob("*/config.yaml") if (run := read_run(path.parent))]
    found.sort(key=lambda run: run["changed"], reverse=True)
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    if not found:
        click.echo(f"No runs in {runs_folder}; begin one with: ticket find --method unilth")
        return
    print_table(HEADINGS, [_cells(run) for run in found], left=("state", "method", "when"))


def read_run(path: Path) -> dict[str, Any] | None:
    """Return what a run's folder says about itself, or None when it is no run."""
    from ticket.config import from_yaml
    from ticket.errors import TicketError
    from ticket.folder import Folder, read_json

    folder = Folder(path)
    try:
        config = from_yaml(folder.config.read_text(encoding="utf-8"), str(folder.config))
        rounds = read_json(folder.figures)["rounds"] if folder.finished else _closed(folder.path)
    except (TicketError, OSError, KeyError):
        return {**_UNREADABLE, "path": str(path), "changed": path.stat().st_mtime}
    latest = rounds[-1] if rounds else {}
    trainings = latest.get("trainings") or [None]
    newest = max(
        p.stat().st_mtime
        for p in (path, folder.config, folder.figures, folder.checkpoint)
        if p.exists()
    )
    recipe = config.get("recipe") or {}
    return {
        "path": str(path),
        "state": "set aside"
        if ".old-" in path.name
        else "finished"
        if folder.finished
        else "unfinished",
        "model": _name(config.get("model")),
        "dataset": _name(config.get("dataset")),
        "method": f"train ({recipe.get('name')})" if config.get("start") else recipe.get("name"),
        "seed": config.get("seed"),
        "round": latest.get("round"),
        "density": latest.get("density"),
        "test_accuracy": trainings[-1] and trainings[-1]["end"]["test_accuracy"],
        "changed": newest,
    }


_NAMES = ("model", "dataset", "method", "seed", "round", "density", "test_accuracy")
_UNREADABLE: Mapping[str, Any] = {"state": "unreadable", **dict.fromkeys(_NAMES)}


def _closed(path: Path) -> list[dict[str, Any]]:
    """Return the figures of the rounds that an unfinished run has closed."""
    from ticket.folder import read_json

    return [read_json(place) for place in sorted(path.glob("round-*/figures.json"))]


def _name(use: object) -> str:
    return str(use["name"]) if isinstance(use, Mapping) else str(use)


def _cells(run: Mapping[str, Any]) -> list[str]:
    density, accuracy = run["density"], run["test_accuracy"]
    return [
        Path(run["path"]).name,
        run["state"],
        str(run["method"] or "-"),
        "-" if run["seed"] is None else str(run["seed"]),
        "-" if run["round"] is None else str(run["round"]),
        "-" if density is None else f"{100 * density:.2f} %",
        "-" if accuracy is None else f"{100 * accuracy:.2f} %",
        time.strftime("%Y-%m-%d %H:%M", time.localtime(run["changed"])),
    ]
