"""Find, train and keep winning lottery tickets: sparse networks that train as well as the dense one.

The public names are loaded when they are first used, so that `import ticket` stays free of torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ticket.api import evaluate, export, find, held, train, transform
    from ticket.dataset import DataSet
    from ticket.errors import TicketError
    from ticket.tickets import Ticket, load
    from ticket.verifying.verification import verify

__all__ = [
    "DataSet",
    "Ticket",
    "TicketError",
    "evaluate",
    "export",
    "find",
    "held",
    "load",
    "train",
    "transform",
    "verify",
]

_HOMES = {
    "DataSet": "ticket.dataset",
    "Ticket": "ticket.tickets",
    "TicketError": "ticket.errors",
    "evaluate": "ticket.api",
    "export": "ticket.api",
    "find": "ticket.api",
    "held": "ticket.api",
    "load": "ticket.tickets",
    "train": "ticket.api",
    "transform": "ticket.api",
    "verify": "ticket.verifying.verification",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'ticket' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
