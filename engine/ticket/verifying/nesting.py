"""Masks are nested: what one round has cut, no later round brings back."""

from __future__ import annotations

from ticket.verifying.results import Result, judged
from ticket.verifying.stored import Stored


def nested(before: Stored, after: Stored, subject: str) -> Result:
    """Check that every weight of `after` is one of `before`."""
    wrong = []
    for name, mask in before.masks.items():
        back = ~mask if name not in after.masks else after.masks[name] & ~mask
        if count := int(back.sum()):
            wrong.append(f"{count:,} weights of {name!r} are back")
    return judged("nested", subject, wrong)
