"""The layers of repeated units, and other masks for them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ticket.errors import UsageError
from ticket.tickets import Ticket, create


def copies(ticket: Ticket, strategy: str) -> set[str]:
    """Name the masked tensors of units whose source an earlier unit has, too.

    Raises UsageError, for `strategy`, when there is none.
    """
    sources = (ticket.record.get("moves") or {}).get("masks", {})
    seen: set[str] = set()
    found: set[str] = set()
    for name in ticket.masks:  # in the order of the network; the record's is by name
        source = sources.get(name)
        if source in seen:
            found.add(name)
        elif source is not None:
            seen.add(source)
    if not found:
        raise UsageError(
            f"{strategy} gives repeated units other masks, and no unit with a mask is repeated here; "
            "use it with a deeper target, alone or after elastic"
        )
    return found


def unmasked(ticket: Ticket, network: nn.Module, names: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the ticket's state in which these tensors are dense.

    A ticket no longer knows the weights that it masks: they are `network`'s, new initial ones.
    """
    state, new = dict(ticket.state), network.state_dict()
    for name in names:
        state[name] = torch.where(ticket.masks[name], state[name], new[name].cpu())
    return state


def masked_anew(ticket: Ticket, network: nn.Module, masks: Mapping[str, Tensor]) -> Ticket:
    """Put other masks on the ticket; weights that it masked come from `network`."""
    state = unmasked(ticket, network, masks)
    return create(network, masks, record=ticket.record, state=state)
