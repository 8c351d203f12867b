"""Controls: what a winning ticket must be compared with (Frankle & Carbin 2019, section 2)."""

from __future__ import annotations

import torch

from ticket import kernels
from ticket.masks import prunable
from ticket.tickets import Ticket, create
from ticket.transforming import Given


def same(ticket: Ticket, given: Given) -> Ticket:
    """Leave the ticket as it is: trains in full what a round with a patience stopped early."""
    return ticket


def reinit(ticket: Ticket, given: Given) -> Ticket:
    """Keep the masks, draw new initial weights: is it the structure alone?"""
    return create(given.fresh(), ticket.masks, record={**ticket.record, "start": 0})


def random(ticket: Ticket, given: Given) -> Ticket:
    """Keep each layer's count, choose the places by chance, draw new initial weights."""
    masks = {}
    for name, mask in ticket.masks.items():
        order = torch.randperm(mask.numel(), generator=given.generator)
        masks[name] = mask.flatten()[order].reshape(mask.shape)
    return create(given.fresh(), masks, record={**ticket.record, "start": 0})


def oneshot(ticket: Ticket, given: Given) -> Ticket:
    """Keep each layer's count, but choose by the magnitudes of the dense network trained once."""
    trained = prunable(given.dense())
    masks = {}
    for name, mask in ticket.masks.items():
        chosen = torch.ones_like(mask)
        removed = mask.numel() - int(mask.count_nonzero())
        weight = trained[name].detach().cpu()
        kernels.select_lowest([weight], [chosen], removed, absolute=True, names=[name])
        masks[name] = chosen
    return create(given.origin(), masks, record={**ticket.record, "start": 0})


def dense(ticket: Ticket, given: Given) -> Ticket:
    """Drop the masks and go back to step 0: the dense network, trained as the ticket is."""
    return create(given.origin(), {}, record={**ticket.record, "start": 0})
