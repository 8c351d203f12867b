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
    strength: NotNegative = 1e-4,
) -> None:
    """Add `strength` * w: the gradient of strength/2 |w|^2, on every prunable weight."""
    grad.add_(weight, alpha=strength)


def growing_l2(
    weight: Tensor,
    grad: Tensor,
    doomed: Tensor | None,
    progress: float,
    *,
    ceiling: Positive = 1.0,
    shape: Literal["linear", "quadratic", "cubic", "exponential"] = "cubic",
    ramp: Annotated[float, Between(0, 1, open_low=True)] = 0.75,
    on: Literal["doomed", "all"] = "doomed",
    steepness: Positive = 5.0,
) -> None:
    """Add lambda * w, with lambda growing to `ceiling` over the first `ramp` of the phase, then held.

    Wang et al. 2021 (GReg) grow it linearly; the non-linear shapes are those of Bai et al. 2022:
    with u the share of the ramp that is over, u, u^2, u^3 or (e^{au}-1)/(e^a-1), a = `steepness`.
    Raises UsageError when nothing is marked and only the doomed are meant.
    """
    strength = ceiling * growth(min(progress / ramp, 1.0), shape, steepness)
    if on == "all":
        grad.add_(weight, alpha=strength)
    elif doomed is None:
        raise UsageError("growing_l2 on the doomed needs a `mark` phase before this training")
    else:
        grad.addcmul_(weight, doomed, value=strength)


def growth(u: float, shape: str, steepness: float) -> float:
    """Return the share of the ceiling at `u` in [0, 1]."""
    if shape == "exponential":
        return math.expm1(steepness * u) / math.expm1(steepness)
    return float(u ** {"linear": 1, "quadratic": 2, "cubic": 3}[shape])
