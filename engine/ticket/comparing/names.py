"""Names for people: a plugin with its options, and how a transformed ticket was made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def spelled(use: object) -> str:
    """Return `mlp (hidden [20, 10])` for a recorded plugin, in either form that records have."""
    if not isinstance(use, Mapping):
        return "not recorded" if use is None else str(use)
    given = use.get("options")
    options = given if isinstance(given, Mapping) else {k: v for k, v in use.items() if k != "name"}
    told = ", ".join(f"{k} {plainly(v)}" for k, v in options.items())
    return f"{use.get('name')} ({told})" if told else str(use.get("name"))


def plainly(value: object) -> str:
    """Return text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def together(strategies: Sequence[object]) -> str:
    """Return `elastic (order interpolate) + shuffle` for strategies applied in turn."""
    return " + ".join(spelled(strategy) for strategy in strategies)


def made_by(lineage: Sequence[Mapping[str, Any]], dataset: object) -> str:
    """Return `elastic from resnet32 (elastic from resnet20)`; `dataset` is the ticket's own.

    An ancestor's data set is named where the next one has another.
    """
    text = ""
    follows = [ancestor.get("dataset") for ancestor in lineage[1:]] + [dataset]
    for ancestor, then in zip(lineage, follows, strict=True):
        origin = spelled(ancestor.get("model"))
        if spelled(ancestor.get("dataset")) != spelled(then):
            origin += f" on {spelled(ancestor.get('dataset'))}"
        before = f" ({text})" if text else ""
        text = f"{together(ancestor.get('strategies') or [])} from {origin}{before}"
    return text
