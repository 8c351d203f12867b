"""Which stem a network takes: one that shrinks large images early, or one for small images."""

from __future__ import annotations

from typing import Literal, get_args

from ticket.errors import UsageError

Stem = Literal["auto", "imagenet", "cifar"]

SMALL = 64  # pixels; a network for ImageNet divides them by 32, which leaves small images too few


def is_small(model: str, shape: tuple[int, int, int], stem: Stem) -> bool:
    """Tell whether `model` takes its stem for small images; "auto" decides by `shape`, (C, H, W).

    Raises UsageError for an unknown stem.
    """
    if stem not in get_args(Stem):
        names = ", ".join(get_args(Stem))
        raise UsageError(f"{model}: stem {stem!r} is not one of {names}")
    return stem == "cifar" or (stem == "auto" and min(shape[1:]) < SMALL)
