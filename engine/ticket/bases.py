"""Networks whose prunable weights are coefficients in a basis, so that sparsity means zeros there.

A layer's weight is theta = B c, with B orthonormal, one matrix an axis. The parameter, under the name
it had, holds c: masks, scores, rewinding, tickets need not know. The gradient in c is B^T that in theta.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MethodType
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from ticket.errors import TicketError, UsageError
from ticket.masks import PRUNABLE_LAYERS
from ticket.uses import Use, asked_use, bind

Shape = tuple[int, ...]
CANONICAL = Use("bases", "canonical")
_BUFFER = "basis_{}"  # of an axis' matrix; no part of the state
TOLERANCE = 1e-6  # of B^T B - 1: what float32 can hold


class Basis(Protocol):
    """Give the basis of a weight (group `ticket.bases`); options are keyword-only.

    Returns, for each axis of the shape, the orthonormal matrix whose columns are the basis vectors, or
    None where the axis stays as it is. It must depend on shape and options alone.
    """

    def __call__(self, shape: Shape) -> Sequence[Tensor | None]: ...


def basis_of(record: Mapping[str, Any]) -> Use:
    """Return the basis that the recipe in a record or a configuration names."""
    return asked_use("bases", (record.get("recipe") or {}).get("basis") or "canonical")


@torch.no_grad()
def put_in_basis(network: nn.Module, basis: Use) -> nn.Module:
    """Turn the prunable weights of the network into coefficients, in place; what it computes stays.

    Raises UsageError, naming layer and shape, when the basis does not fit or is not orthonormal.
    """
    if basis == CANONICAL:
        return network
    function: Basis = bind(basis)
    done: set[Tensor] = set()
    for name, layer in network.named_modules():
        if not isinstance(layer, PRUNABLE_LAYERS):
            continue
        shape = tuple(layer.weight.shape)
        where = f"layer '{name}' {list(shape)}"
        try:
            matrices = function(shape)
        except UsageError as problem:
            raise UsageError(f"{where}: {problem}") from problem
        _check(matrices, shape, f"basis '{basis.name}' of {where}")
        if all(matrix is None for matrix in matrices):
            continue
        if not isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            raise UsageError(f"{where}: a {type(layer).__name__} cannot be put in a basis")
        for axis, matrix in enumerate(matrices):
            if matrix is not None:
                layer.register_buffer(_BUFFER.format(axis), matrix.float(), persistent=False)
        if layer.weight not in done:  # shared by two layers, it is one set of coefficients
            layer.weight.copy_(along([m if m is None else m.T for m in matrices], layer.weight))
            done.add(layer.weight)
        forward = _linear if isinstance(layer, nn.Linear) else _convolution
        layer.forward = MethodType(forward, layer)  # type: ignore[method-assign]
    if not done:
        raise UsageError(
            f"basis '{basis.name}' leaves every layer of {type(network).__name__} as it is; "
            "let it act on other axes"
        )
    return network


def along(matrices: Sequence[Tensor | None], tensor: Tensor) -> Tensor:
    """Multiply a tensor by a matrix along each axis that has one, in the matrices' precision."""
    for axis, matrix in enumerate(matrices):
        if matrix is not None:
            product = torch.tensordot(matrix, tensor.to(matrix.dtype), dims=([1], [axis]))
            tensor = product.movedim(0, axis)
    return tensor


def _matrices(layer: nn.Module) -> list[Tensor | None]:
    buffers = dict(layer.named_buffers(recurse=False))
    axes = range(layer.get_parameter("weight").dim())
    return [buffers.get(_BUFFER.format(axis)) for axis in axes]


def in_basis(network: nn.Module) -> bool:
    """Tell whether any weight of the network is held as coefficients."""
    return any(
        any(m is not None for m in _matrices(layer))
        for layer in network.modules()
        if isinstance(layer, PRUNABLE_LAYERS)
    )


@torch.no_grad()
def settle(network: nn.Module) -> nn.Module:
    """Turn coefficients back into plain weights, in place: for export, which knows no basis."""
    done: set[Tensor] = set()
    for layer in network.modules():
        if not isinstance(layer, PRUNABLE_LAYERS) or not in_basis(layer):
            continue
        if layer.weight not in done:
            layer.weight.copy_(along(_matrices(layer), layer.weight))
            done.add(layer.weight)
        for axis in range(layer.weight.dim()):
            layer._buffers.pop(_BUFFER.format(axis), None)
        del layer.__dict__["forward"]
    return network


@torch.no_grad()
def coefficients(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state of plain weights as the network in its basis holds it."""
    found = dict(state)
    for name, layer in network.named_modules():
        key = f"{name}.weight" if name else "weight"
        if isinstance(layer, PRUNABLE_LAYERS) and key in found:
            transposed = [m if m is None else m.T.cpu() for m in _matrices(layer)]
            found[key] = along(transposed, found[key]).contiguous()
    return found


def _linear(layer: nn.Linear, inputs: Tensor) -> Tensor:
    return functional.linear(inputs, along(_matrices(layer), layer.weight), layer.bias)


def _convolution(layer: nn.Conv1d | nn.Conv2d | nn.Conv3d, inputs: Tensor) -> Tensor:
    weight = along(_matrices(layer), layer.weight)
    result: Tensor = layer._conv_forward(inputs, weight, layer.bias)
    return result


def _check(matrices: Sequence[Tensor | None], shape: Shape, what: str) -> None:
    if len(matrices) != len(shape):
        raise UsageError(f"{what} has {len(matrices)} matrices for {len(shape)} axes")
    for axis, (matrix, size) in enumerate(zip(matrices, shape, strict=True)):
        if matrix is None:
            continue
        if matrix.shape != (size, size):
            raise UsageError(
                f"{what} does not fit: the matrix of axis {axis} is {list(matrix.shape)}, "
                f"not [{size}, {size}]"
            )
        unit = torch.eye(size, dtype=torch.float64)
        error = float((matrix.double().T @ matrix.double() - unit).abs().max())
        if not error <= TOLERANCE:
            raise UsageError(f"{what} is not orthonormal: axis {axis} is off by {error:.1e}")


def check_same(basis: object, network: nn.Module) -> None:
    """Raise TicketError unless a ticket in a basis meets a network in one, a plain one a plain one.

    `basis` is that of the ticket's record, in terms of YAML.
    """
    if (basis != "canonical") and not in_basis(network):
        raise TicketError(
            f"the ticket's weights are coefficients in the basis {basis}, the network's are not; "
            "ticket.bases.put_in_basis puts it there"
        )
    if basis == "canonical" and in_basis(network):
        raise TicketError("the network's weights are coefficients in a basis, the ticket's are not")
