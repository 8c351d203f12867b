"""What became of the doomed: figures that a cut reports."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ticket.masks import prunable

Masks = Mapping[str, Tensor]


def doomed_over_kept(model: nn.Module, masks: Masks, doomed: Masks) -> float:
    """Return mean |w| of the doomed over mean |w| of the other survivors; 0 where both are 0."""
    totals = torch.zeros(4, dtype=torch.float64)
    for name, weight in prunable(model).items():
        others = masks[name] & ~doomed[name]
        size = weight.detach().abs().double()
        sums = [size[doomed[name]].sum(), doomed[name].sum(), size[others].sum(), others.sum()]
        totals += torch.stack([s.double().cpu() for s in sums])
    mean = totals[2] / totals[3].clamp(min=1)
    # Never infinite: the figure goes into a record, and JSON has no infinity.
    return float((totals[0] / totals[1]) / mean.clamp(min=torch.finfo(torch.float32).tiny))


def overlap(doomed: Masks, after: Masks) -> float:
    """Return the share of the doomed that the masks `after` a cut no longer keep."""
    both = sum(int((d & ~after[name]).count_nonzero()) for name, d in doomed.items())
    return both / max(1, sum(int(d.count_nonzero()) for d in doomed.values()))
