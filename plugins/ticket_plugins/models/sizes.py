"""Refuse, before anything is built, sizes that a network cannot have."""

from __future__ import annotations

from ticket.errors import UsageError


def check_sizes(
    model: str, shape: tuple[int, int, int], classes: int, *, smallest: int = 1
) -> tuple[int, int, int]:
    """Return `shape`, (C, H, W), when `model` can take it; raises UsageError when it cannot.

    `smallest` is the least height and width, in pixels, that its pooling leaves anything of.
    """
    channels, height, width = shape
    if channels < 1 or min(height, width) < smallest:
        raise UsageError(
            f"{model}: images of {channels} x {height} x {width} are too small;"
            f" it takes at least 1 x {smallest} x {smallest}"
        )
    if classes < 1:
        raise UsageError(f"{model}: {classes} classes asked for; it takes 1 or more")
    return channels, height, width


def blocks_per_stage(model: str, depth: int, *, others: int) -> int:
    """Return n for a network of three stages and `depth` = 6n + `others` layers, n at least 1.

    Raises UsageError for another depth, with the nearest ones.
    """
    blocks, rest = divmod(depth - others, 6)
    if blocks < 1:
        raise UsageError(
            f"{model}: depth {depth} is not 6n + {others}; the smallest is {6 + others}"
        )
    if rest:
        raise UsageError(
            f"{model}: depth {depth} is not 6n + {others}; "
            f"the nearest are {depth - rest} and {depth - rest + 6}"
        )
    return blocks
