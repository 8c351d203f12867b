"""An optimizer gets the rate, the decay of each group and the options it was asked for."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ticket.errors import UsageError
from ticket.registry import installed
from ticket.uses import bind, read_use

OPTIMIZERS = [plugin.name for plugin in installed("optimizers")]


def made(written: object, lr: float = 0.1) -> torch.optim.Optimizer:
    one, two = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    groups = [{"params": [one], "weight_decay": 0.5}, {"params": [two], "weight_decay": 0.0}]
    optimizer: torch.optim.Optimizer = bind(read_use("optimizers", written))(groups, lr)
    return optimizer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_downhill_and_decays_only_the_group_that_asks(name: str) -> None:
    optimizer = made(name)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.5, 0.0]
    assert {group["lr"] for group in optimizer.param_groups} == {0.1}
    decayed, plain = (group["params"][0] for group in optimizer.param_groups)
    for _ in range(3):
        optimizer.zero_grad()
        (decayed.sum() * 0 + plain.sum()).backward()
        optimizer.step()
    assert (plain < 1).all()
    assert (decayed < 1).all()
    assert plain.isfinite().all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_rate_of_a_step_is_that_of_its_groups(name: str) -> None:
    """The training sets it before every step, so no optimizer may keep a copy."""
    optimizer = made(name)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
        group["params"][0].grad = torch.ones(3)
    optimizer.step()
    assert all(torch.equal(group["params"][0], torch.ones(3)) for group in optimizer.param_groups)


def test_options_reach_torch() -> None:
    sgd = made({"name": "sgd", "momentum": 0.9, "nesterov": True}).defaults
    assert (sgd["momentum"], sgd["nesterov"]) == (0.9, True)
    adam = made({"name": "adam", "beta1": 0.8, "beta2": 0.99, "eps": 1e-6}).defaults
    assert (adam["betas"], adam["eps"]) == ((0.8, 0.99), 1e-6)
    adamw = made({"name": "adamw", "beta1": 0.7}).defaults
    assert adamw["betas"] == (0.7, 0.999)


@pytest.mark.parametrize("option", [{"momentum": 1}, {"momentum": -0.1}, {"nesterov": "perhaps"}])
def test_impossible_options_are_refused(option: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="wants"):
        read_use("optimizers", {"name": "sgd", **option})


def test_nesterov_without_momentum_is_one_clear_line() -> None:
    with pytest.raises(UsageError, match="nesterov wants a momentum"):
        made({"name": "sgd", "nesterov": True})
