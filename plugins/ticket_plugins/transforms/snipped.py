"""What the elastic paper sets its repeated masks against: masks that SNIP chooses for those units."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from ticket.errors import UsageError
from ticket.ladder import Group
from ticket.masks import prunable
from ticket.network import load_state
from ticket.scoring import Criterion, Scores, select
from ticket.tickets import Ticket
from ticket.transforming import Given
from ticket.uses import PluginOf, Use, bind
from ticket_plugins.transforms.copies import copies, masked_anew, unmasked
from ticket_plugins.transforms.elastic import fitted


def copy_and_snip(
    ticket: Ticket,
    given: Given,
    *,
    criterion: Annotated[Use, PluginOf("criteria")] = Use("criteria", "snip"),
    scope: Literal["global", "layer"] = "global",
) -> Ticket:
    """Copy the masks of the units that are there; of each repeated one SNIP chooses the mask.

    After Chen et al. 2021 (arXiv 2103.16547, section 4), who compare with it. Repeated units keep, all
    together (`scope: layer`: layer by layer), as many weights as `elastic` gives them. They are scored
    dense, at the weights that training starts from: the moved ones, new initial ones where the ticket
    masks them; all other units as the ticket has them. `criterion` takes SNIP's options or another
    criterion. Raises UsageError when no unit with a mask is repeated, or a layer would keep nothing.
    """
    ticket = fitted(ticket, given)
    repeated = copies(ticket, "copy-and-snip")
    names = [name for name in ticket.masks if name in repeated]
    network = given.fresh()
    dense = {name: torch.ones_like(ticket.masks[name]) for name in names}
    whole = {n: torch.ones_like(w, dtype=torch.bool) for n, w in prunable(network).items()}
    load_state(network, unmasked(ticket, network, dense))
    chooser: Criterion = bind(criterion)
    scores = chooser(given.survey(network, {**whole, **ticket.masks, **dense}))
    here = Scores({name: scores.values[name].cpu() for name in names}, scores.absolute)
    kept = {name: int(ticket.masks[name].count_nonzero()) for name in names}
    if scope == "layer":
        groups = [Group((name,), count) for name, count in kept.items()]
    else:
        groups = [Group(tuple(names), sum(kept.values()))]
    chosen = select(here, dense, groups, allow_empty_layers=True)
    if empty := [name for name in names if kept[name] and not bool(chosen[name].any())]:
        raise UsageError(
            f"copy-and-snip would leave '{empty[0]}' without a weight (layer collapse); "
            "let each layer keep its own count: --set copy-and-snip.scope=layer"
        )
    return masked_anew(ticket, given.fresh(), {**ticket.masks, **chosen})
