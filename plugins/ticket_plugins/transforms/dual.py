"""The dual lottery ticket: a random ticket is transformed until it wins (arXiv 2203.04248)."""

from __future__ import annotations

import torch
from torch import Tensor

from ticket.errors import UsageError
from ticket.tickets import Ticket
from ticket.transforming import Given
from ticket_plugins.transforms.elastic import fitted


def rst(ticket: Ticket, given: Given, *, recipe: str = "dlth") -> Ticket:
    """Let a growing penalty press what the ticket masks into what it keeps (Bai et al. 2022, section 3).

    The masked weights are those of the network at step 0 of the ticket's run, where that is known; new
    ones elsewhere. `recipe` (a name or a YAML file: `dlth`, `dlth-iter`) says how; which weights go in
    the end is the ticket's mask. The result trains on from there, from step 0 of the schedule.
    """
    ticket = fitted(ticket, given)
    found = given.find(ticket, _dense(ticket, given), recipe)
    return Ticket(found.masks, found.state, {**ticket.record, "start": 0})


def unidlth(ticket: Ticket, given: Given, *, recipe: str = "unidlth") -> Ticket:
    """Transform the ticket as `rst` does, by early stopping and a non-linear penalty in every round.

    After UniDLTH (ICLR 2023 submission CJl2S0w1mbq), which published neither code nor settings.
    """
    return rst(ticket, given, recipe=recipe)


def _dense(ticket: Ticket, given: Given) -> dict[str, Tensor]:
    """Return the ticket's state with the weights that it masks filled in."""
    if ticket.record.get("trained"):
        raise UsageError("a transform starts from a ticket, not from trained weights")
    source = given.origin().state_dict()
    if any(n not in source or source[n].shape != t.shape for n, t in ticket.state.items()):
        source = given.fresh().state_dict()
    state = dict(ticket.state)
    for name, mask in ticket.masks.items():
        state[name] = torch.where(mask, state[name], source[name].detach().cpu())
    return state
