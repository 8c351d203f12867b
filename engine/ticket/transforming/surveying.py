"""How a transform shows a network to a criterion."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ticket.batches import Examples
from ticket.masks import prunable
from ticket.scoring import Survey, survey_of

Surveyor = Callable[[nn.Module, Mapping[str, Tensor]], Survey]


def surveyor(examples: Callable[[], tuple[Examples, int]], generator: torch.Generator) -> Surveyor:
    """Return what makes a survey of a network and its masks, with the training examples.

    `examples` gives them and the batch size; it is not called before a survey is asked for.
    """

    def survey(network: nn.Module, masks: Mapping[str, Tensor]) -> Survey:
        train, batch_size = examples()
        devices = {name: weight.device for name, weight in prunable(network).items()}
        here = {name: mask.to(devices[name]) for name, mask in masks.items()}
        return survey_of(network, here, train, batch_size, generator)

    return survey
