"""SNIP and GraSP score coefficients in a basis by their own slopes; SynFlow says that it cannot."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ticket import loop
from ticket.bases import put_in_basis
from ticket.errors import UsageError
from ticket.finding import find_one, plan
from ticket.masks import prunable
from ticket.probing import drawn_by_class
from ticket.registry import installed
from ticket.request import Request
from ticket.scoring import Survey
from ticket.uses import Use, bind, read_use

DCT, ROTATED = Use("bases", "dct"), Use("bases", "random-orthonormal")
Make = Callable[..., Survey]


ONCE: dict[str, Any] = {"rounds": 1, "rate": None}


def network() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.Softplus(), nn.Conv2d(3, 4, 2), nn.Softplus(),
        nn.Flatten(), nn.Linear(36, 4),
    )  # fmt: skip


def slopes(model: nn.Module, survey: Survey, basis: Use) -> dict[str, tuple[Tensor, Tensor]]:
    """Return c and B^T dL/dtheta of every layer; B is one matrix on the flattened weight."""
    train = survey.train
    logits = model(train.normalised(train.images))
    weights = prunable(model)
    loss = functional.cross_entropy(logits, train.labels)
    found = torch.autograd.grad(loss, list(weights.values()))
    whole = {name: matrix_of(basis, weight) for name, weight in weights.items()}
    return {
        name: (
            (whole[name].T @ weight.detach().flatten()).reshape(weight.shape),
            (whole[name].T @ slope.flatten()).reshape(weight.shape),
        )
        for (name, weight), slope in zip(weights.items(), found, strict=True)
    }


def matrix_of(basis: Use, weight: Tensor) -> Tensor:
    axes = bind(basis)(tuple(weight.shape))
    parts = [
        torch.eye(n, dtype=torch.float64) if matrix is None else matrix
        for matrix, n in zip(axes, weight.shape, strict=True)
    ]
    return reduce(torch.kron, parts).float()


@pytest.mark.parametrize("basis", [DCT, ROTATED, replace(DCT, options={"axes": "channels"})])
def test_snip_is_a_coefficient_times_its_own_slope(survey_of: Make, basis: Use) -> None:
    plain = network()
    survey = survey_of(put_in_basis(copy.deepcopy(plain), basis))
    found = bind(read_use("criteria", {"name": "snip", "batch_size": 72}))(survey).values
    for name, (coefficient, slope) in slopes(plain, survey, basis).items():
        expected = (coefficient * slope).abs()
        torch.testing.assert_close(found[name], expected, rtol=1e-3, atol=1e-6)


def test_grasp_is_a_coefficient_times_the_hessian_of_the_coefficients(survey_of: Make) -> None:
    """H g in c is B^T H g in theta: the directional derivative of the slopes along the slopes."""
    plain = network().double()
    options = {"name": "grasp", "per_class": 10, "temperature": 1.0}
    model = put_in_basis(copy.deepcopy(plain).float(), ROTATED)
    survey = survey_of(model)
    found = bind(read_use("criteria", options))(survey).values
    ((images, labels),) = drawn_by_class(survey_of(model), 1, 10)  # the same stream, the same draw
    inputs = images.double()
    weights = prunable(plain)
    start = {name: weight.detach().clone() for name, weight in weights.items()}

    def gradient(step: float, along: dict[str, Tensor]) -> dict[str, Tensor]:
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(start[name] + step * along[name])
        loss = functional.cross_entropy(plain(inputs), labels)
        grads = torch.autograd.grad(loss, list(weights.values()))
        return dict(zip(weights, grads, strict=True))

    flow = gradient(0.0, start)
    ahead, behind = gradient(1e-4, flow), gradient(-1e-4, flow)
    for name, weight in start.items():
        whole = matrix_of(ROTATED, weight).double()
        curved = (ahead[name] - behind[name]) / 2e-4
        expected = (whole.T @ weight.flatten()) * (whole.T @ curved.flatten())
        torch.testing.assert_close(found[name].double().flatten(), expected, rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize("basis", [DCT, ROTATED])
def test_synflow_refuses_coefficients(survey_of: Make, basis: Use) -> None:
    survey = survey_of(put_in_basis(network(), basis))
    with pytest.raises(
        UsageError, match="a coefficient in a basis is no connection; use the canon"
    ):
        bind(read_use("criteria", "synflow"))(survey)
    assert bind(read_use("criteria", "synflow"))(survey_of(network())).values


def test_a_criterion_that_knows_no_basis_is_refused_before_anything_trains(
    request_for: Callable[..., Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(*_: Any) -> None:
        raise AssertionError("it trained")

    monkeypatch.setattr(loop, "carry_out", trained)
    late: list[object] = [
        "train",
        {"mark": {"criterion": "synflow"}},
        "cut",
        {"rewind": {"to": "0it"}},
    ]
    changes: dict[str, dict[str, Any]] = {"synflow": {}, "lth": {"round": late}}
    for method, recipe in changes.items():
        asked = request_for(
            method=method, recipe={"sparsity": 0.5, **ONCE, **recipe, "basis": "dct"}
        )
        for do in (plan, find_one):
            with pytest.raises(UsageError, match="synflow follows absolute weights"):
                do(asked)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "criterion", [p.name for p in installed("criteria") if p.name != "synflow"]
)
def test_every_other_criterion_prunes_in_a_basis(
    request_for: Callable[..., Request], criterion: str
) -> None:
    phases = [{"mark": {"criterion": criterion}}, "cut"]
    recipe = {"basis": "dct", "round": phases, "sparsity": 0.5, **ONCE}
    found = find_one(request_for(method="lth", recipe=recipe))
    assert found.ticket.kept == 80
