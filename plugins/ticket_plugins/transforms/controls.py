"""Controls: what a winning ticket must be compared with (Frankle & Carbin 2019, section 2).

`reinit`, `random` and `shuffle` work across networks, too: a ticket for another network than the one
that is asked for is first made to fit, as `elastic` does by default.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor

from ticket import kernels
from ticket.initialising import initialise
from ticket.masks import prunable
from ticket.tickets import Ticket, create
from ticket.transforming import Given
from ticket.uses import PluginOf, Use
from ticket_plugins.transforms.copies import copies, masked_anew
from ticket_plugins.transforms.elastic import fitted


def same(ticket: Ticket, given: Given) -> Ticket:
    """Leave the ticket as it is: trains in full what a round with a patience stopped early."""
    return ticket


def reinit(
    ticket: Ticket, given: Given, *, init: Annotated[Use, PluginOf("inits")] | None = None
) -> Ticket:
    """Keep the masks, draw new initial weights: is it the structure alone?

    The model draws them, or `init` does, for the masks: `sparse_aware` (arXiv 2010.03533).
    """
    ticket = fitted(ticket, given)
    network = given.fresh()
    if init is not None:
        initialise(network, ticket.masks, init, given.generator)
    return create(network, ticket.masks, record={**ticket.record, "start": 0})


def random(ticket: Ticket, given: Given, *, weights: Literal["new", "move"] = "new") -> Ticket:
    """Keep each layer's count, choose the places by chance, draw new initial weights.

    `weights="move"` is the random ticket of the elastic paper (section 4), rewound weights under a
    shuffled mask: weights stay where they are, biases, statistics and the schedule's position too. A
    ticket no longer knows the weights that it masks, so what is newly kept starts from new initial
    weights. (To move values with the mask would be no answer: they are those that pruning picked.)
    """
    ticket = fitted(ticket, given)
    masks = {name: _permuted(mask, given.generator) for name, mask in ticket.masks.items()}
    if weights == "move":
        return masked_anew(ticket, given.fresh(), masks)
    return create(given.fresh(), masks, record={**ticket.record, "start": 0})


def shuffled_mask(ticket: Ticket, given: Given) -> Ticket:
    """Permute each layer's mask, keep the weights: is it which connections, or how many in a layer?

    After Frankle et al. 2021 (arXiv 2009.08576): masks chosen before training survive it, those of
    trained weights do not. `random` with `weights="move"`.
    """
    return random(ticket, given, weights="move")


def shuffle(ticket: Ticket, given: Given) -> Ticket:
    """Permute the masks of repeated units at random, layer by layer: is it what was repeated?

    Every unit's first occurrence keeps its mask (arXiv 2103.16547, section 4, "Interpolation -
    Random"). Weights stay as they were moved; what is newly kept starts from new initial weights, as
    under `random`. Raises UsageError when no unit with a mask is repeated.
    """
    ticket = fitted(ticket, given)
    repeated = copies(ticket, "shuffle")
    masks = {
        name: _permuted(mask, given.generator) if name in repeated else mask
        for name, mask in ticket.masks.items()
    }
    return masked_anew(ticket, given.fresh(), masks)


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


def _permuted(mask: Tensor, generator: torch.Generator) -> Tensor:
    order = torch.randperm(mask.numel(), generator=generator)
    return mask.flatten()[order].reshape(mask.shape)
