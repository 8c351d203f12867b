"""SynFlow keeps every layer alive where one-shot scores over all layers empty one (Tanaka et al. 2020)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ticket.errors import UsageError
from ticket.finding import find_one
from ticket.request import Request

Make = Callable[..., Request]
DEEP = (("model", {"name": "mlp", "hidden": [64, 8, 64, 8]}),)


def test_synflow_survives_a_sparsity_at_which_a_single_step_collapses(request_for: Make) -> None:
    recipe = {"rounds": 1, "sparsity": 0.99}

    def find(steps: int, method: str = "synflow") -> dict[str, int]:
        sets = (*DEEP, ("recipe.round.0.mark.steps", steps))
        found = find_one(request_for(method=method, sets=sets, recipe=recipe))
        return {name: int(mask.count_nonzero()) for name, mask in found.ticket.masks.items()}

    with pytest.raises(UsageError, match=r"would lose every weight \(layer collapse\)"):
        find(1)
    left = find(100)
    assert sum(left.values()) == 26  # of 2,592
    assert all(left.values())
