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
