"""A regularizer adds to the gradient in place what its formula says, and touches nothing else."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ticket.errors import UsageError
from ticket.registry import installed
from ticket.uses import bind, read_use

REGULARIZERS = [plugin.name for plugin in installed("regularizers")]
WEIGHT = torch.tensor([[1.0, -2.0], [0.0, 4.0]])
DOOMED = torch.tensor([[True, True], [False, False]])


def added(written: object, progress: float, doomed: Tensor | None = DOOMED) -> Tensor:
    """Return what is added to a gradient of ones, over the weight where that is not 0."""
    grad = torch.ones(2, 2)
    bind(read_use("regularizers", written))(WEIGHT, grad, doomed, progress)
    return grad - 1


@pytest.mark.parametrize("name", REGULARIZERS)
@pytest.mark.parametrize("progress", [0.0, 0.5, 0.75, 0.999])
def test_every_regularizer_adds_finite_numbers_in_place(name: str, progress: float) -> None:
    weight, doomed = WEIGHT.clone(), DOOMED.clone()
    grad = torch.ones(2, 2)
    assert bind(read_use("regularizers", name))(weight, grad, doomed, progress) is None
    assert grad.isfinite().all()
    assert torch.equal(weight, WEIGHT)
    assert torch.equal(doomed, DOOMED)
    twin = torch.ones(2, 2)
    bind(read_use("regularizers", name))(weight, twin, doomed, progress)
    assert torch.equal(grad, twin)


def test_l2_adds_its_share_of_every_weight() -> None:
    assert torch.allclose(added({"name": "l2", "strength": 0.5}, 0.3), 0.5 * WEIGHT)
    assert torch.allclose(added({"name": "l2", "strength": 0.5}, 0.3, None), 0.5 * WEIGHT)


def test_growing_l2_acts_on_the_doomed_alone() -> None:
    found = added({"name": "growing_l2", "ceiling": 3}, 0.9)
    assert torch.allclose(found, torch.tensor([[3.0, -6.0], [0.0, 0.0]]))


def test_growing_l2_may_act_on_all() -> None:
    written = {"name": "growing_l2", "ceiling": 3, "on": "all"}
    assert torch.allclose(added(written, 0.9, None), 3 * WEIGHT)


@pytest.mark.parametrize(
    ("shape", "at_half"),
    [
        ("linear", 0.5),
        ("quadratic", 0.25),
        ("cubic", 0.125),
        ("exponential", (math.exp(2.5) - 1) / (math.exp(5) - 1)),
    ],
)
def test_growing_l2_follows_its_shape_up_to_the_ceiling(shape: str, at_half: float) -> None:
    written = {"name": "growing_l2", "ceiling": 8, "shape": shape, "ramp": 0.5}
    strengths = [float(added(written, progress)[0, 0]) for progress in (0, 0.25, 0.5, 0.9)]
    assert strengths == pytest.approx([0, 8 * at_half, 8, 8], abs=1e-5)


def test_a_penalty_may_begin_at_a_floor() -> None:
    """GReg-2 goes on from what all weights have had."""
    written = {"name": "growing_l2", "floor": 2, "ceiling": 8, "shape": "linear", "ramp": 0.5}
    strengths = [float(added(written, progress)[0, 0]) for progress in (0, 0.25, 0.5, 0.9)]
    assert strengths == pytest.approx([2, 5, 8, 8])


def test_a_negative_l2_on_the_kept_takes_their_weight_decay_back() -> None:
    found = added({"name": "l2", "strength": -0.5, "on": "kept"}, 0.3)
    assert torch.allclose(found, torch.tensor([[0.0, 0.0], [0.0, -2.0]]))
    with pytest.raises(UsageError, match="a penalty on the kept needs a `mark` phase before"):
        added({"name": "l2", "on": "kept"}, 0.3, None)


@given(st.floats(0.1, 3.0), st.floats(1.0, 8.0))
def test_at_rest_a_weight_gives_way_by_its_curvature(curvature: float, penalty: float) -> None:
    """Wang et al. 2021, equation 7: w'/w = 1 / (lambda/h + 1) at the minimum of h/2 (w - 1)^2."""
    weight = torch.ones(1, dtype=torch.float64)
    regularizer = bind(read_use("regularizers", {"name": "l2", "strength": penalty}))
    for _ in range(600):
        grad = curvature * (weight - 1)
        regularizer(weight, grad, None, 0.0)
        weight -= 0.05 * grad
    assert float(weight) == pytest.approx(1 / (penalty / curvature + 1), rel=1e-6)


def test_growing_l2_on_the_doomed_needs_a_mark() -> None:
    with pytest.raises(UsageError, match="needs a `mark` phase before"):
        added("growing_l2", 0.5, None)


@pytest.mark.parametrize(
    "option", [{"ceiling": 0}, {"ramp": 0}, {"ramp": 1.5}, {"shape": "quartic"}]
)
def test_impossible_options_are_refused(option: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="wants"):
        read_use("regularizers", {"name": "growing_l2", **option})
