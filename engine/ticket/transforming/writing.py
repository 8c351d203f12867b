"""What a transform writes: a folder among the runs, so that the new ticket is found like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ticket.errors import TicketError
from ticket.files import write_text_atomically
from ticket.folder import Folder, make, write_json
from ticket.masks import kept
from ticket.transforming.performing import Transformed


def write_folder(done: Transformed, runs_folder: Path) -> Path:
    """Write the folder of a transform and return the ticket's path; an equal one is left as it is.

    Raises TicketError when the folder holds another ticket.
    """
    folder = Folder(runs_folder / done.name())
    if folder.finished:
        _check_same(done, folder.ticket)
        return folder.ticket
    make(folder.path)
    config = _config(done)
    write_text_atomically(folder.config, yaml.safe_dump(config, sort_keys=False, width=100))
    done.ticket.save(folder.ticket)
    record, ticket = done.ticket.record, done.ticket
    figures = {
        "round": 0,
        "kept": ticket.kept,
        "prunable": ticket.prunable,
        "density": ticket.density,
        "layers": {name: kept({name: mask}) for name, mask in ticket.masks.items()},
        "trainings": [],
    }
    transform = {"parent": record["parent"], **_step(done), "iterations": done.iterations}
    transform["seconds"] = done.seconds
    document = {"config": config, "seed": config["seed"], "rounds": [figures]}
    write_json(folder.figures, {**document, "transform": transform})
    return folder.ticket


def write_file(done: Transformed, path: Path) -> Path:
    """Write the ticket alone. Raises TicketError when the file is there and is another one."""
    if path.exists():
        _check_same(done, path)
        return path
    make(path.parent)
    done.ticket.save(path)
    return path


def _check_same(done: Transformed, path: Path) -> None:
    if not path.is_file() or path.read_bytes() != done.ticket.encoded():
        raise TicketError(
            f"{path} is there and is another ticket; move it away, or write elsewhere (--output FILE)"
        )


def _config(done: Transformed) -> dict[str, Any]:
    """Return the document of the folder's config.yaml: that of the ticket's training, and the step."""
    record = done.ticket.record
    model = record["model"]
    return {
        "model": {"name": model["name"], **model["options"]} if model["options"] else model["name"],
        "dataset": record["dataset"],
        "training": record.get("training"),
        "recipe": record.get("recipe"),
        "seed": _step(done)["seed"],
        "parent": record["parent"],
        "transform": _step(done)["strategies"],
    }


def _step(done: Transformed) -> dict[str, Any]:
    told = done.ticket.record["lineage"][-1]
    source = {"model": told["model"], "dataset": told["dataset"]}
    return {"source": source, "strategies": told["strategies"], "seed": told["transform_seed"]}
