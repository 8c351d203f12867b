"""Dropout in the Conv nets: half of the hidden units, in training alone."""

from __future__ import annotations

import pytest
import torch

from ticket.uses import read_use
from ticket_plugins.models.conv import conv

SHAPE = (1, 8, 8)


@pytest.mark.parametrize(("depth", "rate"), [(2, 3e-4), (4, 2e-4), (6, 2e-4)])
def test_the_variant_with_dropout_has_the_papers_own_rate(depth: int, rate: float) -> None:
    training = conv(SHAPE, 3, depth=depth, dropout=0.5).paper_training
    assert isinstance(training, dict)
    assert training["lr"] == rate
    plain = conv(SHAPE, 3, depth=depth).paper_training
    assert isinstance(plain, dict)
    assert plain["lr"] == {2: 2e-4, 4: 3e-4, 6: 3e-4}[depth]


def test_dropout_acts_in_training_alone_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    net = conv(SHAPE, 3, depth=2, dropout=0.5)
    torch.manual_seed(0)
    plain = conv(SHAPE, 3, depth=2)
    images = torch.randn(4, *SHAPE)
    assert torch.equal(net.eval()(images), plain(images))
    net.train()
    assert not torch.equal(net(images), net(images))
    hidden: list[torch.Tensor] = []
    output = net.get_submodule("output")
    output.register_forward_hook(lambda module, inputs, result: hidden.append(inputs[0]))
    for _ in range(50):
        net(images)
    dead = torch.stack([(h == 0).double().mean() for h in hidden]).mean()
    net.eval()(images)
    rest = float((hidden[-1] == 0).double().mean())
    assert float(dead) == pytest.approx(rest + (1 - rest) / 2, abs=0.05)


def test_the_option_is_a_share() -> None:
    assert read_use("models", {"name": "conv-2", "dropout": "0.5"}).options == {"dropout": 0.5}
    with pytest.raises(ValueError, match="dropout wants a number"):
        read_use("models", {"name": "conv-2", "dropout": 1})
