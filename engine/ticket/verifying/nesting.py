"""Masks are nested: what one round has cut, no later one and no training brings back."""

from __future__ import annotations

import torch

from ticket.verifying.results import Result, judged
from ticket.verifying.stored import Stored


def held_masks(ticket: Stored, trained: Stored, subject: str) -> Result:
    """Check that a training has left the masks as its ticket has them."""
    wrong = [
        f"the mask of {name!r} is not the ticket's"
        for name in {**ticket.masks, **trained.masks}
        if name not in ticket.masks
        or name not in trained.masks
        or not torch.equal(ticket.masks[name], trained.masks[name])
    ]
    return judged("nested", subject, wrong)


def nested(before: Stored, after: Stored, subject: str) -> Result:
    """Check that every weight of `after` is one of `before`."""
    wrong = []
    for name, mask in before.masks.items():
        back = ~mask if name not in after.masks else after.masks[name] & ~mask
        if count := int(back.sum()):
            wrong.append(f"{count:,} weights of {name!r} are back")
    return judged("nested", subject, wrong)
