"""Controls: what a winning ticket must be compared with (Frankle & Carbin 2019, section 2)."""

from __future__ import annotations

import torch

from ticket.tickets import Ticket, create
from ticket.transforming import Given


def reinit(ticket: Ticket, given: Given) -> Ticket:
    """Keep the masks, draw new initial weights: is it the structure alone?"""
    return create(given.fresh(), ticket.masks, record=ticket.record)


def random(ticket: Ticket, given: Given) -> Ticket:
    """Keep each layer's count, choose the places by chance, draw new initial weights."""
    masks = {}
    for name, mask in ticket.masks.items():
        order = torch.randperm(mask.numel(), generator=given.generator)
        masks[name] = mask.flatten()[order].reshape(mask.shape)
    return create(given.fresh(), masks, record=ticket.record)


def dense(ticket: Ticket, given: Given) -> Ticket:
    """Drop the masks and go back to step 0: the dense network, trained as the ticket is."""
    return create(given.origin(), {}, record={**ticket.record, "start": 0})
