"""Bases that sparsity may be defined in (Alabdulmohsin et al. 2021, arXiv 2107.06825)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from ticket.bases import Shape
from ticket.errors import UsageError
from ticket.seeds import stream
from ticket.values import Count

Axes = Literal["all", "channels", "taps"]
LARGEST = 4096  # of one axis: its matrix is 64 MB, and multiplies the weights at every step


def canonical(shape: Shape) -> Sequence[Tensor | None]:
    """Leave the weights as they are: a zero is a missing connection."""
    return [None] * len(shape)


def dct(shape: Shape, *, axes: Axes = "all", block: Count | None = None) -> Sequence[Tensor | None]:
    """Let coefficients be those of the orthonormal DCT-II along the axes of the weight.

    `axes`: `channels` (output, input), the `taps` of a kernel, or all; `block` cuts an axis into
    blocks of that size, each with a transform of its own. Raises UsageError when a block does not fit.
    """
    return _separable("dct", shape, axes, block, lambda size, name: _cosines(size))


def random_orthonormal(
    shape: Shape, *, axes: Axes = "all", block: Count | None = None, seed: int = 0
) -> Sequence[Tensor | None]:
    """Draw an orthonormal matrix for each axis, uniformly: the QR decomposition of a Gaussian one.

    It depends on `seed` and the shape alone, so that a ticket finds its basis again. `axes` and
    `block` as for `dct`. Raises UsageError when a block does not fit.
    """

    def draw(size: int, name: str) -> Tensor:
        generator = stream(seed, "basis", *shape, name)
        q, r = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
        signs: Tensor = q * r.diagonal().sign()  # else QR's own choice of signs: not uniform
        return signs

    return _separable("random-orthonormal", shape, axes, block, draw)


def _cosines(size: int) -> Tensor:
    """Return the DCT-II's basis vectors, orthonormal, as columns."""
    rows = torch.arange(size, dtype=torch.float64)[:, None]
    columns = torch.arange(size, dtype=torch.float64)[None, :]
    matrix = torch.cos(math.pi * (2 * rows + 1) * columns / (2 * size)) * math.sqrt(2 / size)
    matrix[:, 0] = 1 / math.sqrt(size)
    return matrix


def _separable(
    name: str, shape: Shape, axes: Axes, block: int | None, make: Callable[[int, str], Tensor]
) -> list[Tensor | None]:
    """Return one matrix an axis, block by block; None for an axis that is left alone."""
    matrices: list[Tensor | None] = []
    for axis, size in enumerate(shape):
        if axes not in ("all", "taps" if axis > 1 else "channels") or size == 1:
            matrices.append(None)
            continue
        part = block or size
        if size % part:
            raise UsageError(
                f"basis '{name}' with blocks of {part} does not fit an axis of {size}; "
                f"choose a divisor of every axis, such as {math.gcd(part, size)}, or no block"
            )
        if size > LARGEST:
            raise UsageError(
                f"basis '{name}' does not fit an axis of {size}: {LARGEST} is the most; "
                "transform the kernels' taps alone (axes: taps)"
            )
        parts = [make(part, f"{axis}/{number}") for number in range(size // part)]
        matrix: Tensor = torch.block_diag(*parts)  # type: ignore[no-untyped-call]
        matrices.append(matrix)
    return matrices
