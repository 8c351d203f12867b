"""Which data sets are there, and what the network has to bring."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ticket.fetching import Download


@dataclass(frozen=True)
class Here:
    """Tell whether a data set can be read: how many examples it has, or what is wrong."""

    name: str
    ready: bool
    told: str
    source: str = ""


def here(folder: Path) -> list[Here]:
    """Read every installed data set, as a run would, and tell what came of it."""
    from ticket.registry import installed

    return [look(plugin.name, folder) for plugin in installed("datasets")]


def look(name: str, folder: Path) -> Here:
    """Read one data set and tell what came of it."""
    from ticket.errors import TicketError
    from ticket.task import open_data
    from ticket.uses import Use

    try:
        data = open_data(Use("datasets", name), folder)
    except TicketError as problem:
        return Here(name, False, str(problem).removeprefix(f"{name}: "))
    size = f"{len(data.train_labels):,} + {len(data.test_labels):,} images"
    return Here(name, True, size, f"{data.source} ({data.licence})" if data.source else "")


def download_of(name: str) -> Download | None:
    """Return what a data set needs from the network, or None when it needs nothing.

    Raises UsageError for an unknown data set.
    """
    from ticket.fetching import Download
    from ticket.registry import installed, load, named

    named("datasets", name)
    if name not in {plugin.name for plugin in installed("downloads")}:
        return None
    listed = load("downloads", name).function()
    assert isinstance(listed, Download)
    return listed
