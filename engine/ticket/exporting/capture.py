"""Capture: torch.export of a network in eval mode, walked into a graph of known operations.

What is not known stays in the graph under its ATen name, for the caller to report, refuse or split.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx import Node

from ticket.errors import TicketError
from ticket.exporting.checking import check
from ticket.exporting.ir import Graph, Shape
from ticket.exporting.noise import one_error, without_noise
from ticket.exporting.walk import Walk
from ticket.exporting.wiring import tidied

EXAMPLE_BATCH = 2  # torch.export takes a batch of 1 for a constant


@torch.no_grad()
def capture(model: nn.Module, shape: Shape) -> Graph:
    """Return the graph of `model` in eval mode for images of `shape`, (C, H, W) or (features,).

    The graph has copies of the weights; the model is left as it was. Raises TicketError when the model
    is not float32 on the CPU, does not take such images, gives anything but one tensor of
    [batch, ...], or cannot be captured.
    """
    if len(shape) not in (1, 3) or min(shape) < 1:
        raise TicketError(f"images of shape {shape}: export takes (C, H, W) or (features,)")
    _check_tensors(model)
    with without_noise(), _evaluating(model):
        example = torch.zeros(EXAMPLE_BATCH, *shape)
        try:
            program = _exported(model, example)
        except Exception as error:  # the model's code runs here, and may raise anything
            raise _refused(model, example, error) from error
    return check(tidied(Walk(type(model).__name__, shape, program).graph()))


def _exported(model: nn.Module, example: Tensor) -> ExportedProgram:
    """Export by running the model, or, where that fixes the batch (`len(x)` does), by its code."""
    try:
        program = _traced(model, example, strict=False)
    except Exception as first:  # the model's code runs here, and may raise anything
        try:
            program = _traced(model, example, strict=True)
        except Exception:  # what the first way met is nearer to the user's code
            raise first from None
    if any(_writes(node) for node in program.graph.nodes):
        program = program.run_decompositions({})  # in-place operators become plain ones
    return program


def _traced(model: nn.Module, example: Tensor, *, strict: bool) -> ExportedProgram:
    batch = ({0: Dim("batch")},)
    with one_error():
        return torch.export.export(model, (example,), dynamic_shapes=batch, strict=strict)


def _writes(node: Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def _check_tensors(model: nn.Module) -> None:
    name = type(model).__name__
    for key, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_complex() or tensor.is_quantized:
            raise TicketError(f"{name}: '{key}' is {tensor.dtype}; export takes float32 networks")
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise TicketError(
                f"{name}: '{key}' is {tensor.dtype}; export takes float32 networks: use .float() first"
            )
        if tensor.device.type != "cpu":
            raise TicketError(f"{name}: '{key}' is on {tensor.device}; use .cpu() before export")


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, was in training.items():
            module.training = was


def _refused(model: nn.Module, example: Tensor, error: Exception) -> TicketError:
    """Return what to tell the user: the model's own failure if it has one, else the capture's."""
    wrong, right = (
        "cannot be captured",
        "; forward must take any batch and not branch on what is in it",
    )
    try:
        model(example)
    except Exception as own:  # the model's code may raise anything
        error, wrong, right = own, "fails", ""
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return TicketError(
        f"{type(model).__name__} {wrong} for images of {tuple(example.shape[1:])}: "
        f"{type(error).__name__}: {reason}{right}"
    )
