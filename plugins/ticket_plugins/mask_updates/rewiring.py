"""Mask updates that move connections about at a constant count in each layer: SET and RigL."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from torch import Tensor

from ticket import kernels
from ticket.mask_updates import Change, Scene
from ticket.values import Between

Drop = Annotated[float, Between(0, 1)]


def rigl(
    scene: Scene,
    *,
    drop: Drop = 0.3,
    drop_end: Drop = 0.0,
    at_start: bool = True,
    skip_step: bool = True,
) -> Change | None:
    """Drop the smallest weights of each layer and grow where the gradient is largest.

    Evci et al. 2020 (arXiv 1911.11134), section 3: of a layer's k weights int(f k) move, f falling
    along a cosine from `drop` at step 0 to `drop_end` at the training's end or pause. Just dropped
    weights may be grown again, and then keep their value. `at_start`: also at the first step;
    `skip_step`: an update takes the place of that iteration's gradient step (algorithm 1).
    """
    if scene.clock.step == scene.start and not at_start:
        return None
    share = _cosine(scene, drop, drop_end)
    masks = {}
    for name, mask in scene.masks.items():
        kept = int(mask.count_nonzero())
        left = _without(name, scene.weights[name], mask, int(share * kept))
        masks[name] = _grown(name, scene.gradients[name], left, kept)
    return Change(masks, step=not skip_step)


def set_(
    scene: Scene,
    *,
    drop: Drop = 0.3,
    drop_end: Drop | None = None,
    by: Literal["sign", "magnitude"] = "sign",
) -> Change | None:
    """Drop the weights nearest zero of each layer and grow as many at random empty places.

    Mocanu et al. 2018 (arXiv 1707.04780), algorithm 1: the share `drop` of the positive weights and of
    the negative ones, and those that are zero; `by: magnitude` drops the share of the layer's smallest.
    With `drop_end` the share falls to it along a cosine (ITOP). Nothing changes at the first step.
    """
    if scene.clock.step == scene.start:
        return None
    share = drop if drop_end is None else _cosine(scene, drop, drop_end)
    masks = {}
    for name, mask in scene.masks.items():
        weight, kept = scene.weights[name], int(mask.count_nonzero())
        if by == "sign":
            signs = (mask & (weight > 0), mask & (weight < 0))
            parts = [_without(name, weight, s, int(share * int(s.count_nonzero()))) for s in signs]
            left = parts[0] | parts[1]
        else:
            left = _without(name, weight, mask, int(share * kept))
        chance = torch.rand(mask.shape, generator=scene.generator).to(weight.device)
        masks[name] = _grown(name, chance, left, kept)
    return Change(masks)


def _cosine(scene: Scene, first: float, last: float) -> float:
    """Return the share at this step: Evci et al. 2020, f_decay, with a floor."""
    return last + (first - last) / 2 * (1 + math.cos(math.pi * scene.clock.step / scene.end))


def _without(name: str, weight: Tensor, mask: Tensor, count: int) -> Tensor:
    """Return the mask without its `count` weights nearest zero."""
    left = mask.clone()
    kernels.select_lowest([weight], [left], count, absolute=True, names=[name])
    return left


def _grown(name: str, score: Tensor, left: Tensor, kept: int) -> Tensor:
    """Return the mask with more places, those of the highest |score|, so that it keeps `kept`."""
    empty = ~left
    stay_empty = left.numel() - kept
    kernels.select_lowest([score], [empty], stay_empty, absolute=True, names=[name])
    return left | empty
