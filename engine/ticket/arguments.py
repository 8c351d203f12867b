"""What callers give to the verbs, made into what the engine takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from ticket import teachers
from ticket.dataset import DataSet
from ticket.files import digest
from ticket.request import Objects
from ticket.tickets import Ticket, load

Model = str | nn.Module | Callable[..., nn.Module]


def target(sparsity: float | None, rounds: int | None) -> dict[str, Any]:
    """Return the recipe fields that say how far to prune; one alone replaces what the recipe says."""
    if sparsity is None and rounds is None:
        return {}
    if sparsity is not None and rounds is not None:
        return {"sparsity": sparsity, "rounds": rounds}
    return {"sparsity": sparsity} if rounds is None else {"rounds": rounds}


def objects_of(model: Model | None, data: str | DataSet | None) -> Objects | None:
    """Return what is given as an object, not by name; None when nothing is."""
    objects = Objects(
        None if isinstance(model, str) else model, None if isinstance(data, str) else data
    )
    return None if objects == Objects() else objects


def read_ticket(ticket: str | Path | Ticket) -> tuple[Ticket, str]:
    """Return a ticket and the SHA-256 of its file."""
    if isinstance(ticket, Ticket):
        return ticket, ticket.identity()
    return load(Path(ticket)), digest(Path(ticket))


def own_teacher(ticket: str | Path | Ticket) -> Path | None:
    """Return the file of the teacher that a ticket's own run had, if there is one."""
    return None if isinstance(ticket, Ticket) else teachers.beside(Path(ticket))


def teacher_file(teacher: str | Path | None, runs_folder: str | Path) -> Path | None:
    """Return the file of a teacher that is asked for. Raises UsageError when there is none."""
    if teacher is None:
        return None
    return teachers.locate_teacher(str(teacher), Path(runs_folder))
