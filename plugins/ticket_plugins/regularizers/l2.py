"""L2 penalties: constant, or growing on the weights about to go."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from torch import Tensor

from ticket.errors import UsageError
from ticket.values import Between, NotNegative, Positive


def l2(
    weight: Tensor,
    grad: Tensor,
    doomed: Tensor | None,
    progress: float,
    *,
    strength: float = 1e-4,
    on: Literal["doomed", "kept", "all"] = "all",
) -> None:
    """Add `strength` * w: the gradient of strength/2 |w|^2, on every prunable weight or a part of them.

    A negative strength on the kept takes a weight decay back (Wang et al. 2021, algorithm 1). Raises
    UsageError when nothing is marked and not all are meant.
    """
    _add(weight, grad, doomed, strength, on)


def growing_l2(
    weight: Tensor,
    grad: Tensor,
    doomed: Tensor | None,
    progress: float,
    *,
    ceiling: Positive = 1.0,
    shape: Literal["linear", "quadratic", "cubic", "exponential"] = "cubic",
    ramp: Annotated[float, Between(0, 1, open_low=True)] = 0.75,
    on: Literal["doomed", "kept", "all"] = "doomed",
    floor: NotNegative = 0.0,
    steepness: Positive = 5.0,
) -> None:
    """Add lambda * w, with lambda growing from `floor` to `ceiling` over the first `ramp`, then held.

    `ramp` is a share of the phase. Wang et al. 2021 (GReg) grow lambda linearly; the non-linear shapes
    are those of Bai et al. 2022: with u the share of the ramp that is over, u, u^2, u^3 or
    (e^{au}-1)/(e^a-1), a = `steepness`.
    Raises UsageError when nothing is marked and only the doomed are meant.
    """
    strength = floor + (ceiling - floor) * growth(min(progress / ramp, 1.0), shape, steepness)
    _add(weight, grad, doomed, strength, on)


def _add(weight: Tensor, grad: Tensor, doomed: Tensor | None, strength: float, on: str) -> None:
    if on == "all":
        grad.add_(weight, alpha=strength)
    elif doomed is None:
        raise UsageError(f"a penalty on the {on} needs a `mark` phase before this training")
    else:
        grad.addcmul_(weight, doomed if on == "doomed" else ~doomed, value=strength)


def growth(u: float, shape: str, steepness: float) -> float:
    """Return the share of the ceiling at `u` in [0, 1]."""
    if shape == "exponential":
        return math.expm1(steepness * u) / math.expm1(steepness)
    return float(u ** {"linear": 1, "quadratic": 2, "cubic": 3}[shape])
