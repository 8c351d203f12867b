"""What tests of criteria share: a survey of a network, as a mark makes it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ticket.batches import split
from ticket.dataset import DataSet
from ticket.masks import apply_, dense_masks, prunable
from ticket.scoring import Survey
from ticket.seeds import stream


@pytest.fixture
def survey_of(points: DataSet) -> Callable[..., Survey]:
    """Return a maker of surveys: of a network on 72 images of 1 x 4 x 4, with masks and a seed."""

    def make(model: nn.Module, masks: dict[str, Tensor] | None = None, seed: int = 0) -> Survey:
        here = dense_masks(model) if masks is None else masks

        def network() -> nn.Module:
            copied = copy.deepcopy(model)
            apply_(copied, here)
            return copied

        weights = {name: weight.detach() for name, weight in prunable(model).items()}
        train = split(points, 0, torch.device("cpu")).train
        return Survey(weights, here, stream(seed, "masks"), network, train, 16)

    return make
