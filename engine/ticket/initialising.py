"""Initial weights drawn for a mask: what a plugin does to the prunable weights of a fresh network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from ticket.errors import UsageError
from ticket.masks import prunable
from ticket.uses import Use, bind


class Init(Protocol):
    """Overwrite a prunable weight in place (group `ticket.inits`); options are keyword-only.

    `weight` holds what the model itself has drawn, `mask` (True = kept) has its shape; both are on the
    CPU. What is written to masked weights does not matter.
    """

    def __call__(self, weight: Tensor, mask: Tensor, generator: torch.Generator) -> None: ...


@torch.no_grad()
def initialise(
    network: nn.Module, masks: Mapping[str, Tensor], init: Use, generator: torch.Generator
) -> None:
    """Draw the prunable weights of a fresh network for its masks; one without a mask is dense.

    Raises UsageError when a plugin writes what is no finite number.
    """
    function: Init = bind(init)
    for name, weight in prunable(network).items():
        drawn = weight.detach().cpu().clone()
        mask = masks[name].cpu() if name in masks else torch.ones_like(drawn, dtype=torch.bool)
        function(drawn, mask, generator)
        if not bool(drawn.isfinite().all()):
            raise UsageError(
                f"initialisation '{init.name}' gives '{name}' numbers that are not finite"
            )
        weight.copy_(drawn)
