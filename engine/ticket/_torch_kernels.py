"""The mask kernels in torch: the same results on any device and floating dtype, only slower."""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

_INTEGER_OF_BYTES = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def keys(scores: Tensor, *, absolute: bool, dtype: torch.dtype) -> Tensor:
    """Map scores to integers that order like `scores.to(dtype)`, -0 and +0 being one."""
    # Integers, because a comparison of floats may take denormals for zero.
    integer = _INTEGER_OF_BYTES[dtype.itemsize]
    bits = scores.detach().to(dtype).view(integer)
    magnitude = bits & torch.iinfo(integer).max
    return magnitude if absolute else torch.where(bits < 0, -magnitude, magnitude)


def select_lowest(
    scores: Sequence[Tensor], masks: Sequence[Tensor], count: int, *, absolute: bool
) -> None:
    """Clear the `count` lowest kept scores by a stable sort of all of them, ties by position."""
    dtype = reduce(torch.promote_types, (score.dtype for score in scores))
    kept_keys = [
        keys(score, absolute=absolute, dtype=dtype)[mask].to(scores[0].device)
        for score, mask in zip(scores, masks, strict=True)
    ]
    order = torch.sort(torch.cat(kept_keys), stable=True).indices
    stays = torch.ones_like(order, dtype=torch.bool)
    stays[order[:count]] = False
    parts = torch.split(stays, [part.numel() for part in kept_keys])
    for mask, part in zip(masks, parts, strict=True):
        mask.masked_scatter_(mask.clone(), part.to(mask.device))


def hold_(tensors: Sequence[Tensor], masks: Sequence[Tensor]) -> None:
    """Set each tensor to +0.0 where its mask is False."""
    for tensor, mask in zip(tensors, masks, strict=True):
        tensor.masked_fill_(mask.logical_not(), 0.0)


def pack_bits(mask: Tensor) -> Tensor:
    """Pack eight elements a byte, the first into the lowest bit."""
    padded = mask.new_zeros(-(-mask.numel() // 8) * 8)
    padded[: mask.numel()] = mask.flatten()
    weights = torch.tensor([1 << bit for bit in range(8)], dtype=torch.uint8, device=mask.device)
    return (padded.view(-1, 8) * weights).sum(dim=1, dtype=torch.uint8)


def unpack_bits(packed: Tensor, size: int) -> Tensor:
    """Unpack the first `size` bits into bools."""
    bits = torch.arange(8, dtype=torch.uint8, device=packed.device)
    return ((packed.unsqueeze(1) >> bits) & 1).bool().flatten()[:size]
