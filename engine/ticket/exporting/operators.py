"""The torch operators that run a plan: loaded, with shapes for tracing and no silent gradient."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from ticket import kernels
from ticket.errors import TicketError


@functools.cache
def operators() -> Any:
    """Return the namespace `torch.ops.ticket` with the operators of the executor in it.

    Raises TicketError, with the remedy, where they were not compiled.
    """
    found = kernels.describe()
    if not found.compiled:
        raise TicketError(f"an exported network needs the compiled operators: {found.detail}")
    for name in ("infer", "infer_plan"):
        torch.library.register_fake(f"ticket::{name}", _shape)
        torch.library.register_autograd(f"ticket::{name}", _no_gradient)
    return torch.ops.ticket


def _shape(network: Tensor, images: Tensor, shape: list[int], threads: int) -> Tensor:
    return images.new_empty([images.shape[0], *shape])


def _no_gradient(context: object, gradient: Tensor) -> None:
    raise TicketError(
        "an exported network has no gradient; train the ticket itself and export it again"
    )


def run_plan(plan: bytes, images: Tensor, shape: tuple[int, ...], threads: int = 1) -> Tensor:
    """Run the plan on float32 images `[N, C, H, W]`; return `[N, *shape]`."""
    data = torch.frombuffer(bytearray(plan), dtype=torch.uint8)
    result: Tensor = operators().infer_plan(data, images, list(shape), threads)
    return result
