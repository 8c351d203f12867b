"""The dense network that round 0 trained."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ticket.errors import TicketError
from ticket.folder import Folder
from ticket.tickets import load


def dense_state(folder: Folder) -> Mapping[str, Tensor]:
    """Return the state that the dense training of round 0 ended with.

    Raises TicketError when the run did not keep it, or when its first training was sparse.
    """
    trained = load(folder.trained_dense())
    if trained.kept < trained.prunable:
        raise TicketError(
            f"{folder.path} trained no dense network: its first training ended with {trained.kept:,} of "
            f"{trained.prunable:,} weights; take a run whose round 0 trains densely"
        )
    return trained.state
