"""What criteria draw from the data and measure on a copy of the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from ticket.errors import UsageError
from ticket.scoring import Survey

Batch = tuple[Tensor, Tensor]  # the network's input and the labels
BatchNormMode = Literal["eval", "train"]


def drawn(survey: Survey, batches: int, size: int | None) -> list[Batch]:
    """Draw batches of different training examples; `size` None is the training's batch size.

    Raises UsageError when there are not so many examples.
    """
    size, there = size or survey.batch_size, len(survey.train)
    if batches * size > there:
        raise UsageError(
            f"{batches} batches of {size} examples to score on are {batches * size:,}, and there are "
            f"{there:,} training examples; score on fewer or smaller batches"
        )
    order = torch.randperm(there, generator=survey.generator)
    return [_batch(survey, order[n * size : (n + 1) * size]) for n in range(batches)]


def drawn_by_class(survey: Survey, batches: int, per_class: int) -> list[Batch]:
    """Draw batches that hold `per_class` examples of every class.

    Raises UsageError, naming it, when a class has too few.
    """
    labels = survey.train.labels.cpu()
    parts: list[list[Tensor]] = [[] for _ in range(batches)]
    for label in sorted(set(labels.tolist())):
        of_class = (labels == label).nonzero().flatten()
        if len(of_class) < batches * per_class:
            raise UsageError(
                f"{batches} batches of {per_class} examples a class are {batches * per_class:,}, and "
                f"class {label} has {len(of_class):,} training examples; score on fewer"
            )
        order = of_class[torch.randperm(len(of_class), generator=survey.generator)]
        for n, part in enumerate(parts):
            part.append(order[n * per_class : (n + 1) * per_class])
    return [_batch(survey, torch.cat(part)) for part in parts]


def _batch(survey: Survey, index: Tensor) -> Batch:
    chosen = survey.train.pick(index.to(survey.train.labels.device))
    return chosen.normalised(chosen.images), chosen.labels


def set_mode(network: nn.Module, batch_norm: BatchNormMode) -> None:
    """Switch dropout off, and let BatchNorm use its running statistics (`eval`) or the batch's."""
    network.eval()
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.train(batch_norm == "train")


def gradients(
    value: Tensor, weights: Mapping[str, Tensor], *, differentiable: bool = False
) -> dict[str, Tensor]:
    """Return the gradient of a scalar by each weight; zero where the value does not depend on it."""
    found = torch.autograd.grad(
        value, list(weights.values()), create_graph=differentiable, materialize_grads=True
    )
    return dict(zip(weights, found, strict=True))
