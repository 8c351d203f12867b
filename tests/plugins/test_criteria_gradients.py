"""SNIP, GraSP and SynFlow give what a few lines of plain torch give."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from ticket.errors import TicketError, UsageError
from ticket.masks import apply_, prunable
from ticket.scoring import Survey
from ticket.seeds import stream
from ticket.uses import bind, read_use

Make = Callable[..., Survey]


def scores(survey: Survey, criterion: str, **options: object) -> dict[str, Tensor]:
    found = bind(read_use("criteria", {"name": criterion, **options}))(survey)
    assert not found.absolute
    return dict(found.values)


def conv(*, norm: bool = True, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Return a network of two convolutions and a classifier, with biases, for images of 1 x 4 x 4."""
    torch.manual_seed(1)
    layers = [nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), activation(), nn.Dropout(0.5)]
    layers += [nn.Conv2d(3, 4, 3), activation(), nn.Flatten(), nn.Linear(16, 4)]
    network = nn.Sequential(*(x for x in layers if norm or not isinstance(x, nn.BatchNorm2d)))
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):  # statistics of a network that has trained a little
            layer.running_mean = torch.tensor([0.1, -0.2, 0.3])
            layer.running_var = torch.tensor([0.5, 1.5, 1.0])
    return network


def half(model: nn.Module) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(7)
    return {n: torch.rand(w.shape, generator=generator) < 0.6 for n, w in prunable(model).items()}


def all_examples(survey: Survey) -> tuple[Tensor, Tensor]:
    return survey.train.normalised(survey.train.images), survey.train.labels


def normed(model: nn.Module, mode: str) -> nn.Module:
    copied = copy.deepcopy(model).eval()
    for layer in copied.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.train(mode == "train")
    return copied


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("masked", [False, True])
def test_snip_is_the_slope_of_the_loss_along_each_connection(
    survey_of: Make, masked: bool, mode: str
) -> None:
    """The oracle multiplies each weight by a connection c = 1 and takes dL/dc (equation 5)."""
    model = conv()
    masks = half(model) if masked else None
    survey = survey_of(model, masks)
    found = scores(survey, "snip", batch_size=72, batch_norm=mode)
    inputs, labels = all_examples(survey)
    network = normed(model, mode)
    if masks:
        apply_(network, masks)
    weights = {name: weight.detach() for name, weight in prunable(network).items()}
    connections = {name: torch.ones_like(w, requires_grad=True) for name, w in weights.items()}
    logits = functional_call(network, {n: weights[n] * connections[n] for n in weights}, (inputs,))
    loss = functional.cross_entropy(logits, labels)
    slopes = torch.autograd.grad(loss, list(connections.values()))
    for name, slope in zip(connections, slopes, strict=True):
        torch.testing.assert_close(found[name], slope.abs(), rtol=1e-4, atol=1e-7)


def test_snip_draws_one_batch_of_the_trainings_size_and_sums_over_several(
    survey_of: Make, mlp: nn.Module
) -> None:
    inputs, labels = all_examples(survey_of(mlp))
    order = torch.randperm(72, generator=stream(0, "masks"))

    def gradient(index: Tensor) -> Tensor:
        loss = functional.cross_entropy(mlp(inputs[index]), labels[index])
        return torch.autograd.grad(loss, mlp[1].weight)[0]  # type: ignore[index]

    weight = prunable(mlp)["1.weight"].detach()
    one = scores(survey_of(mlp), "snip")["1.weight"]
    torch.testing.assert_close(one, (weight * gradient(order[:16])).abs())
    three = scores(survey_of(mlp), "snip", batches=3, batch_size=20)["1.weight"]
    summed = sum(gradient(order[n : n + 20]) for n in (0, 20, 40))
    torch.testing.assert_close(three, (weight * summed).abs())


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_grasp_is_signed_and_equals_a_finite_difference_of_the_gradient(
    survey_of: Make, mode: str
) -> None:
    """Hg is how the gradient moves along itself: (g(w + e g) - g(w - e g)) / 2e, in float64."""
    model = conv(activation=nn.Softplus)  # smooth, so that differences have a limit
    survey = survey_of(model)
    options: dict[str, Any] = {"batch_norm": mode, "temperature": 2.0, "per_class": 17}
    found = scores(survey, "grasp", **options)
    generator = stream(0, "masks")
    labels = survey.train.labels
    picked = []
    for label in range(4):
        of_class = (labels == label).nonzero().flatten()
        picked.append(of_class[torch.randperm(len(of_class), generator=generator)][:17])
    index = torch.cat(picked)
    inputs = all_examples(survey)[0][index].double()
    network = normed(model, mode).double()
    start = {name: weight.detach() for name, weight in prunable(network).items()}

    def slope(weights: dict[str, Tensor]) -> dict[str, Tensor]:
        leaves = {name: w.clone().requires_grad_() for name, w in weights.items()}
        logits = functional_call(network, leaves, (inputs,)) / 2.0
        loss = functional.cross_entropy(logits, labels[index])
        return dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))

    g, e = slope(start), 1e-4
    ahead, behind = ({n: start[n] + s * e * g[n] for n in start} for s in (1, -1))
    above, below = slope(ahead), slope(behind)
    for name in start:
        expected = start[name] * (above[name] - below[name]) / (2 * e)
        torch.testing.assert_close(found[name].double(), expected, rtol=2e-3, atol=1e-6)
    signs = torch.cat([v.flatten() for v in found.values()]).sign()
    assert (signs > 0).any()
    assert (signs < 0).any()


def test_grasp_may_score_linear_layers_by_other_weights(survey_of: Make, mlp: nn.Module) -> None:
    own, drawn = (scores(survey_of(mlp), "grasp", linear=w) for w in ("own", "xavier"))
    assert not any(torch.equal(own[name], drawn[name]) for name in own)
    again = scores(survey_of(mlp), "grasp", linear="xavier")
    assert all(torch.equal(drawn[name], again[name]) for name in drawn)


def plain_flow(model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
    """Return R and w dR/dw of every parameter, biases included, by plain torch."""
    network = copy.deepcopy(model).double().eval()
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.abs_()
    total = network(torch.ones(1, 1, 4, 4, dtype=torch.float64)).sum()
    named = dict(network.named_parameters())
    slopes = torch.autograd.grad(total, list(named.values()))
    flows = {n: (named[n] * s).detach() for n, s in zip(named, slopes, strict=True)}
    return total.detach(), flows


@pytest.mark.parametrize("norm", [False, True])
def test_synflow_is_the_flow_through_the_absolute_network(survey_of: Make, norm: bool) -> None:
    model = conv(norm=norm)
    found = scores(survey_of(model), "synflow")
    _, expected = plain_flow(model)
    for name, flow in found.items():
        assert flow.dtype == torch.float64
        assert (flow >= 0).all()
        torch.testing.assert_close(flow, expected[name], rtol=1e-12, atol=0)


@pytest.mark.parametrize("masked", [False, True])
def test_synflow_conserves_the_flow_layer_by_layer_and_neuron_by_neuron(
    survey_of: Make, masked: bool
) -> None:
    """Theorems 1 and 2 of the paper: what flows into a hidden unit flows out; each cut carries all."""
    torch.manual_seed(2)
    layers = [nn.Linear(16, 8, bias=False), nn.ReLU(), nn.Linear(8, 6, bias=False), nn.ReLU()]
    model = nn.Sequential(nn.Flatten(), *layers, nn.Linear(6, 4, bias=False))
    masks = half(model) if masked else None
    found = scores(survey_of(model, masks), "synflow")
    first, second, last = found.values()
    if masks:
        apply_(model, masks)
    total, _ = plain_flow(model)
    for flow in (first, second, last):
        torch.testing.assert_close(flow.sum(), total, rtol=1e-12, atol=0)
    torch.testing.assert_close(first.sum(1), second.sum(0), rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(second.sum(1), last.sum(0), rtol=1e-12, atol=1e-15)


def test_synflow_goes_by_no_data_and_no_sign(survey_of: Make, mlp: nn.Module) -> None:
    before = scores(survey_of(mlp), "synflow")
    with torch.no_grad():
        for parameter in mlp.parameters():
            parameter.neg_()
    after = scores(survey_of(mlp, seed=1), "synflow")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_synflow_in_float32_is_the_same_to_its_precision(survey_of: Make, mlp: nn.Module) -> None:
    double, single = (
        scores(survey_of(mlp), "synflow", precision=p) for p in ("float64", "float32")
    )
    for name in double:
        assert single[name].dtype == torch.float32
        torch.testing.assert_close(single[name].double(), double[name], rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    ("criterion", "options", "said"),
    [
        (
            "snip",
            {"batch_size": 73},
            "1 batches of 73 examples to score on are 73, and there are 72",
        ),
        ("snip", {"batches": 5}, "5 batches of 16 examples to score on are 80, and there are 72"),
        ("grasp", {"per_class": 40}, "a class are 40, and class 0 has 1. training examples"),
        (
            "grasp",
            {"batches": 2},
            "2 batches of 10 examples a class are 20, and class . has 1. training",
        ),
    ],
)
def test_more_examples_than_there_are_are_refused(
    survey_of: Make, mlp: nn.Module, criterion: str, options: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        scores(survey_of(mlp), criterion, **options)


def test_synflow_refuses_statistics_of_one_value_and_flows_that_overflow(survey_of: Make) -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.BatchNorm1d(4), nn.Linear(4, 4))
    with pytest.raises(UsageError, match="synflow with batch_norm: train fails on one image"):
        scores(survey_of(flat), "synflow", batch_norm="train")
    with torch.no_grad():
        flat[1].weight.fill_(1e38)  # type: ignore[operator]
        flat[3].weight.fill_(1e38)  # type: ignore[operator]
    with pytest.raises(TicketError, match="the flow through the network is inf in float32"):
        scores(survey_of(flat), "synflow", precision="float32")
    assert scores(survey_of(flat), "synflow")["1.weight"].isfinite().all()
