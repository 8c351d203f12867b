"""Criteria that ask what the loss says of each weight before it is trained: SNIP and GraSP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ticket.masks import prunable
from ticket.probing import BatchNormMode, drawn, drawn_by_class, gradients, set_mode
from ticket.scoring import Scores, Survey
from ticket.values import Count, Positive


def snip(
    survey: Survey,
    *,
    batches: Count = 1,
    batch_size: Count | None = None,
    batch_norm: BatchNormMode = "eval",
) -> Scores:
    """Score by |w dL/dw|, how much the loss moves when the connection goes.

    Lee et al. 2019 (arXiv 1810.02340), equation 6; L is the mean cross-entropy of `batches` batches
    (one, of the training's size, in the paper). Raises UsageError for more examples than there are.
    """
    network = survey.network()
    set_mode(network, batch_norm)
    weights = prunable(network)
    total = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for inputs, labels in drawn(survey, batches, batch_size):
        _add(total, gradients(functional.cross_entropy(network(inputs), labels), weights))
    return Scores({name: (weights[name] * total[name]).detach().abs() for name in weights})


def grasp(
    survey: Survey,
    *,
    per_class: Count = 10,
    batches: Count = 1,
    temperature: Positive = 200.0,
    batch_norm: BatchNormMode = "train",
    linear: Literal["own", "xavier"] = "own",
) -> Scores:
    """Score by w Hg, signed: those go whose removal keeps most of the gradient's flow (highest -w Hg).

    Wang et al. 2020 (arXiv 2002.07376), equation 8: H g is the Hessian of the loss times its gradient,
    logits divided by `temperature`; gradients of several batches are added up. `linear: xavier` gives
    the linear layers new weights for the scoring alone, as the official code does. Raises UsageError
    for more examples than a class has.
    """
    network = survey.network()
    set_mode(network, batch_norm)
    if linear == "xavier":
        _draw_linear(network, survey)
    weights = prunable(network)
    drawn_batches = drawn_by_class(survey, batches, per_class)

    def gradient(inputs: Tensor, labels: Tensor, *, differentiable: bool) -> dict[str, Tensor]:
        loss = functional.cross_entropy(network(inputs) / temperature, labels)
        return gradients(loss, weights, differentiable=differentiable)

    flow = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for inputs, labels in drawn_batches:
        _add(flow, gradient(inputs, labels, differentiable=False))
    curved = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for inputs, labels in drawn_batches:
        here = gradient(inputs, labels, differentiable=True)
        product = torch.stack([(flow[name] * here[name]).sum() for name in weights]).sum()
        _add(curved, gradients(product, weights))
    return Scores({name: (weights[name] * curved[name]).detach() for name in weights})


@torch.no_grad()
def _add(total: dict[str, Tensor], more: Mapping[str, Tensor]) -> None:
    for name, gradient in more.items():
        total[name] += gradient


@torch.no_grad()
def _draw_linear(network: nn.Module, survey: Survey) -> None:
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Linear):
            new = torch.empty(layer.weight.shape)
            nn.init.xavier_normal_(new, generator=survey.generator)
            layer.weight.copy_(new)
            if (mask := survey.masks.get(f"{name}.weight")) is not None:
                layer.weight.masked_fill_(~mask, 0.0)
