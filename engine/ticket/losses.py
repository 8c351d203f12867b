"""Losses: what a training minimises, by hard labels or by those of a teacher."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from ticket.errors import TicketError
from ticket.registry import load
from ticket.uses import Use, bind

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Loss(Protocol):
    """Give the loss of a batch, a scalar (group `ticket.losses`); options are keyword-only.

    `logits` `[N, classes]` in training mode, `labels` `[N]`. One that takes a third parameter gets the
    teacher's logits for the same inputs, and every training with it needs a teacher.
    """

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor: ...


def wants_teacher(loss: Use) -> bool:
    """Tell whether a loss learns from a teacher: whether its function takes a third parameter."""
    parameters = inspect.signature(load(loss.kind, loss.name).function).parameters.values()
    return sum(p.kind in POSITIONAL for p in parameters) > 2


def loss_of(
    loss: Use, teacher: nn.Module | None
) -> Callable[[Tensor, Callable[[Tensor], Tensor], Tensor], Tensor]:
    """Return the loss of inputs, a forward pass, and labels.

    The teacher sees the same (augmented) inputs, in evaluation mode and without gradients. Raises
    TicketError when the loss wants a teacher and there is none.
    """
    function = bind(loss)
    if not wants_teacher(loss):
        return lambda inputs, forward, labels: function(forward(inputs), labels)
    if teacher is None:
        raise TicketError(f"loss '{loss.name}' learns from a teacher, and there is none")
    teacher.eval()

    def distilled(inputs: Tensor, forward: Callable[[Tensor], Tensor], labels: Tensor) -> Tensor:
        with torch.no_grad():
            told = teacher(inputs)
        value: Tensor = function(forward(inputs), labels, told)
        return value

    return distilled
