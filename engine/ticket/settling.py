"""Early-Bird: has the mask that a cut would leave stopped changing?"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

LOOK_BACK = 4  # earlier masks to compare with: the published queue holds five


def settled(masks: Mapping[str, Tensor], memory: dict[str, Tensor], distance: float) -> bool:
    """Tell whether the masks differ by at most `distance` from each of the four that came before.

    You et al. 2020 (arXiv 1909.11957), section 4: the Hamming distance over the number of weights.
    `memory` holds the masks before, and takes these in.
    """
    newest = torch.cat([mask.flatten() for mask in masks.values()])
    before = [memory[name] for name in _names() if name in memory]
    distances = [float((newest ^ other).count_nonzero()) / newest.numel() for other in before]
    memory |= dict(zip(_names(), [newest, *before], strict=False))
    return len(before) == LOOK_BACK and max(distances) <= distance


def _names() -> list[str]:
    return [f"masks drawn {number} before" for number in range(LOOK_BACK)]
