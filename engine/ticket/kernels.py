"""The one door to the mask kernels: compiled where they can run, torch otherwise, same results.

The compiled operators serve contiguous float32 tensors on the CPU; everything else (float64,
CUDA, no compiled library) is served by torch, position for position alike, only slower.
`TICKET_KERNELS=torch` in the environment switches the compiled library off;
`TICKET_ISA=scalar|avx2|avx512` makes it use that instruction set. Both are read once.
"""

import functools
import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import Tensor

from ticket import _torch_kernels
from ticket.errors import TicketError

_REMEDY = "install a C++ compiler, then: pip install --no-build-isolation ."
_SELECTED, _TOO_FEW_KEPT, _UNFIT = -1, -2, -3  # as in cpp/masks/selection.h and cpp/ops.cpp


class KernelsMissingWarning(UserWarning):
    """Say, once a process, that the compiled kernels are missing and torch does their work."""


@dataclass(frozen=True)
class KernelInfo:
    """Which kernels are in use: `isa` is scalar, avx2, avx512 or torch; `detail` is the library's
    path, or why there is none and the remedy."""

    compiled: bool
    isa: str
    detail: str


@functools.cache
def describe() -> KernelInfo:
    """Tell which kernels this process uses, loading the library if it is there.

    Raises TicketError if the library is there but does not load, or if TICKET_KERNELS or
    TICKET_ISA asks for something that does not exist.
    """
    wanted = os.environ.get("TICKET_KERNELS", "")
    if wanted == "torch":
        return KernelInfo(False, "torch", "TICKET_KERNELS=torch is set; unset it to use C++")
    if wanted:
        raise TicketError(f"TICKET_KERNELS='{wanted}' is unknown; it is 'torch' or unset")
    spec = find_spec("ticket._ops")
    if spec is None or spec.origin is None:
        return KernelInfo(False, "torch", f"the compiled kernels are not installed; {_REMEDY}")
    try:
        torch.ops.load_library(spec.origin)  # type: ignore[no-untyped-call]
    except OSError as error:
        raise TicketError(f"the compiled kernels do not load: {error}; {_REMEDY}") from error
    isa: str = torch.ops.ticket.isa()
    if not isa:
        raise TicketError(
            f"TICKET_ISA='{os.environ.get('TICKET_ISA')}' is unknown or not supported by this CPU;"
            " it is scalar, avx2 or avx512"
        )
    _register_fakes()
    return KernelInfo(True, isa, spec.origin)


def warn_if_missing() -> None:
    """Issue the one warning now, rather than at the first use, when there are no compiled kernels."""
    _compiled()


def select_lowest(
    scores: Sequence[Tensor],
    masks: Sequence[Tensor],
    count: int,
    *,
    absolute: bool,
    names: Sequence[str],
    threads: int | None = None,
) -> None:
    """Clear, in place and over all tensors jointly, exactly `count` kept positions: the lowest.

    masks[i] is bool and of scores[i]'s shape. Positions compete by score, or by |score| if
    `absolute`; at equal scores (-0 equals +0) the earlier one goes: the earlier tensor, then the
    lower row-major index. Scores where the mask is False play no part. `threads` defaults to
    torch's; the result does not depend on it. Extra memory of the compiled kernel: less than 1 %
    of the scores', or some tens of kilobytes where these are few.

    Raises TicketError, with every mask untouched, if a kept score is NaN (naming it as names[i]),
    if fewer than `count` positions are kept, or if the tensors do not match.
    """
    if not len(scores) == len(masks) == len(names):
        raise TicketError(
            f"{len(scores)} scores, {len(masks)} masks, {len(names)} names: one of each a tensor"
        )
    if count < 0:
        raise TicketError(f"cannot clear {count} positions; the count is 0 or more")
    if not scores:
        outcome = _TOO_FEW_KEPT if count else _SELECTED
    elif _compiled():
        team = torch.get_num_threads() if threads is None else threads
        outcome = torch.ops.ticket.select_lowest.default(scores, masks, count, absolute, team)
    else:
        outcome = _UNFIT
    if outcome == _UNFIT:
        _check_pairs(scores, masks, names)
        outcome = _obstacle(scores, masks, count)
        if outcome == _SELECTED:
            _torch_kernels.select_lowest(scores, masks, count, absolute=absolute)
    if outcome == _TOO_FEW_KEPT:
        kept = sum(int(mask.count_nonzero()) for mask in masks)
        raise TicketError(f"cannot clear {count} positions: the masks keep only {kept}")
    if outcome != _SELECTED:
        raise TicketError(f"the scores of '{names[outcome]}' contain NaN at kept positions")


def hold_(tensors: Sequence[Tensor], masks: Sequence[Tensor]) -> None:
    """Set tensors[i], in place, to +0.0 where masks[i] is False, whatever was there.

    masks[i] is bool and of tensors[i]'s shape; a mask may serve several tensors. Not recorded by
    autograd. Raises TicketError if the tensors do not match.
    """
    with torch.no_grad():
        if tensors and _compiled():
            threads = torch.get_num_threads()
            if torch.ops.ticket.hold_.default(tensors, masks, threads):
                # Autograd must notice if a value that it saved was overwritten.
                torch.autograd.graph.increment_version(tensors)
                return
        if len(tensors) != len(masks):
            raise TicketError(f"{len(tensors)} tensors, {len(masks)} masks: one mask a tensor")
        _check_pairs(tensors, masks, [f"number {i}" for i in range(len(tensors))])
        _torch_kernels.hold_(tensors, masks)


def pack_bits(mask: Tensor) -> Tensor:
    """Pack a bool mask of any shape into uint8, bit i of byte j being element 8j + i.

    Returns one dimension of ceil(elements / 8) bytes; padding bits are zero. Raises TicketError
    if the mask is not bool.
    """
    if mask.dtype is not torch.bool:
        raise TicketError(f"a mask is bool, not {mask.dtype}")
    if _compiled() and mask.is_cpu:
        packed: Tensor = torch.ops.ticket.pack_bits.default(mask.contiguous())
        return packed
    return _torch_kernels.pack_bits(mask)


def unpack_bits(packed: Tensor, shape: Sequence[int]) -> Tensor:
    """Unpack what `pack_bits` packed into a bool mask of `shape`.

    Raises TicketError if `packed` is not one dimension of exactly ceil(elements / 8) uint8, or if
    a padding bit is set.
    """
    size = math.prod(shape)
    if packed.dtype is not torch.uint8 or packed.shape != (-(-size // 8),):
        raise TicketError(
            f"packed mask of {tuple(packed.shape)} {packed.dtype}: shape {tuple(shape)}"
            f" takes ({-(-size // 8)},) torch.uint8"
        )
    if size % 8 and int(packed[-1]) >> size % 8:
        raise TicketError(f"packed mask for shape {tuple(shape)}: a padding bit is set, all are 0")
    if _compiled() and packed.is_cpu:
        mask: Tensor = torch.ops.ticket.unpack_bits.default(packed.contiguous(), size)
    else:
        mask = _torch_kernels.unpack_bits(packed, size)
    return mask.view(tuple(shape))


@functools.cache
def _compiled() -> bool:
    info = describe()
    if not info.compiled and not os.environ.get("TICKET_KERNELS"):
        warnings.warn(f"torch does the kernels' work: {info.detail}", KernelsMissingWarning, 3)
    return info.compiled


def _register_fakes() -> None:
    # Shapes without data, for torch.compile and torch.export.
    torch.library.register_fake(
        "ticket::pack_bits",
        lambda mask: mask.new_empty((mask.numel() + 7) // 8, dtype=torch.uint8),
    )
    torch.library.register_fake(
        "ticket::unpack_bits", lambda packed, size: packed.new_empty(size, dtype=torch.bool)
    )


def _obstacle(scores: Sequence[Tensor], masks: Sequence[Tensor], count: int) -> int:
    for i, (score, mask) in enumerate(zip(scores, masks, strict=True)):
        if bool((score.isnan() & mask).any()):
            return i
    kept = sum(int(mask.count_nonzero()) for mask in masks)
    return _TOO_FEW_KEPT if kept < count else _SELECTED


def _check_pairs(values: Sequence[Tensor], masks: Sequence[Tensor], names: Sequence[str]) -> None:
    for value, mask, name in zip(values, masks, names, strict=True):
        if not value.is_floating_point():
            raise TicketError(f"tensor '{name}' is {value.dtype}; it must be floating-point")
        if mask.dtype is not torch.bool or mask.shape != value.shape:
            raise TicketError(
                f"mask of '{name}' is {tuple(mask.shape)} {mask.dtype};"
                f" it must be {tuple(value.shape)} torch.bool"
            )
        if mask.device != value.device:
            raise TicketError(f"mask of '{name}' is on {mask.device}, the tensor on {value.device}")
