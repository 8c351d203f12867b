"""Masks count exactly, and what they remove stays +0.0 to the last bit, moments included."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

from ticket.errors import TicketError, UsageError
from ticket.masks import Held, aliases, apply_, counts, dense_masks, held, kept, prunable

OPTIMIZERS: dict[str, Callable[[Iterable[nn.Parameter]], Optimizer]] = {
    "sgd": lambda p: SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda p: SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    "adam": lambda p: Adam(p, lr=0.01, weight_decay=0.01, amsgrad=True),
    "adamw": lambda p: AdamW(p, lr=0.01, weight_decay=0.1),
    "rmsprop": lambda p: RMSprop(p, lr=0.01, momentum=0.9, centered=True),
    "adagrad": lambda p: Adagrad(p, lr=0.01),
}


class Tied(nn.Module):
    """A network whose two linear layers, and two of its names for them, share one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(4, 3)
        self.head = nn.Linear(3, 4)
        self.head.weight = self.embed.weight
        self.again = self.head


def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 3))


def half(model: nn.Module) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.rand(weight.shape, generator=generator) < 0.5
        for name, weight in prunable(model).items()
    }


def step(model: nn.Module, optimizer: Optimizer) -> None:
    optimizer.zero_grad()
    (model(torch.randn(8, 5)) - 1).square().mean().backward()
    optimizer.step()


def bits(tensor: Tensor) -> Tensor:
    return tensor.detach().view(torch.int32)


def leaks(model: nn.Module, masks: dict[str, Tensor], optimizer: Optimizer) -> list[str]:
    """Name every tensor with a masked entry that is anything but +0.0."""
    found = []
    for name, weight in prunable(model).items():
        state = {
            k: v for k, v in optimizer.state.get(weight, {}).items() if v.shape == weight.shape
        }
        for key, tensor in {"weight": weight, **state}.items():
            if bits(tensor)[~masks[name]].any():
                found.append(f"{name}: {key}")
    return found


def test_weights_of_linear_and_convolutional_layers_are_prunable_and_nothing_else() -> None:
    model = nn.Sequential(
        nn.Conv1d(1, 2, 3),
        nn.BatchNorm1d(2),
        nn.ConvTranspose1d(2, 1, 3),
        nn.LayerNorm(4),
        nn.Sequential(nn.Conv2d(1, 1, 1), nn.ConvTranspose2d(1, 1, 1)),
        nn.Conv3d(1, 1, 1),
        nn.ConvTranspose3d(1, 1, 1),
        nn.Embedding(3, 3),
        nn.Linear(4, 2),
    )
    expected = [
        "0.weight",
        "2.weight",
        "4.0.weight",
        "4.1.weight",
        "5.weight",
        "6.weight",
        "8.weight",
    ]
    assert list(prunable(model)) == expected


def test_a_shared_weight_appears_once_under_its_first_name() -> None:
    model = Tied()
    assert list(prunable(model)) == ["embed.weight"]
    assert aliases(model) == {
        "embed.weight": ["head.weight", "again.weight"],
        "head.bias": ["again.bias"],
    }
    assert counts(model, {}) == (12, 12)


def test_a_model_without_prunable_layers_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"^BatchNorm1d has no prunable layer"):
        prunable(nn.BatchNorm1d(3))


def test_a_computed_or_shapeless_weight_is_refused_rather_than_left_out() -> None:
    computed = nn.Sequential(nn.Linear(2, 2), weight_norm(nn.Linear(2, 2)))
    with pytest.raises(UsageError, match="layer '1' of Sequential computes its weight"):
        prunable(computed)
    with pytest.raises(UsageError, match="layer '0' of Sequential has no shape yet"):
        prunable(nn.Sequential(nn.LazyLinear(3)))


def test_dense_masks_keep_everything() -> None:
    masks = dense_masks(mlp())
    assert {name: (tuple(m.shape), m.dtype) for name, m in masks.items()} == {
        "0.weight": ((7, 5), torch.bool),
        "3.weight": ((3, 7), torch.bool),
    }
    assert kept(masks) == 56


def test_a_parameter_without_a_mask_counts_as_dense() -> None:
    mask = torch.zeros(3, 7, dtype=torch.bool)
    mask[0, 0] = True
    assert counts(mlp(), {"3.weight": mask}) == (36, 56)
    assert counts({"w": torch.zeros(4)}, {"w": torch.tensor([True, False, False, True])}) == (2, 4)


@pytest.mark.parametrize(
    ("masks", "wrong"),
    [
        ({"1.weight": torch.ones(7, dtype=torch.bool)}, "mask for '1.weight', but no prunable"),
        (
            {"0.weight": torch.ones(5, 7, dtype=torch.bool)},
            r"shape \(5, 7\); the weight has \(7, 5\)",
        ),
        ({"0.weight": torch.ones(7, 5)}, "is torch.float32; masks are torch.bool"),
    ],
)
def test_a_mask_that_fits_no_weight_is_refused(masks: dict[str, Tensor], wrong: str) -> None:
    model = mlp()
    for use in (counts, apply_):
        with pytest.raises(TicketError, match=wrong):
            use(model, masks)
    with pytest.raises(TicketError, match=wrong):
        Held(model, masks, SGD(model.parameters(), lr=0.1))


@given(st.lists(st.tuples(st.floats(width=32), st.booleans()), min_size=1, max_size=40))
def test_applying_a_mask_gives_plus_zero_and_leaves_the_rest_to_the_bit(
    entries: list[tuple[float, bool]],
) -> None:
    model = nn.Linear(len(entries), 1)
    before = torch.tensor([[value for value, _ in entries]])
    mask = torch.tensor([[keep for _, keep in entries]])
    with torch.no_grad():
        model.weight.copy_(before)
    apply_(model, {"weight": mask})
    assert bits(model.weight).tolist() == (bits(before) * mask).tolist()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_masked_weights_and_moments_stay_plus_zero_through_training(name: str) -> None:
    model = mlp()
    masks = half(model)
    optimizer = OPTIMIZERS[name](model.parameters())
    apply_(model, masks)
    state = Held(model, masks, optimizer)
    for _ in range(20):
        step(model, optimizer)
        state.after_step()
        assert leaks(model, masks, optimizer) == []
    optimizer.load_state_dict(optimizer.state_dict())  # replaces the moments by new tensors
    step(model, optimizer)
    assert leaks(model, masks, optimizer) != []  # without holding, they come back
    state.after_step()
    assert leaks(model, masks, optimizer) == []


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_held_step_is_to_the_bit_a_step_and_then_holding_everything(name: str) -> None:
    models = mlp(), mlp()
    masks = half(models[0])
    optimizers = [OPTIMIZERS[name](model.parameters()) for model in models]
    states = [Held(m, masks, o) for m, o in zip(models, optimizers, strict=True)]
    for state in states:
        state.after_step()
    for number in range(20):
        for model, optimizer in zip(models, optimizers, strict=True):
            torch.manual_seed(number)
            optimizer.zero_grad()
            (model(torch.randn(8, 5)) - 1).square().mean().backward()
        optimizers[0].step()
        states[0].after_step()
        states[1].step()
        assert leaks(models[1], masks, optimizers[1]) == []
    for one, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(bits(one), bits(other))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_users_own_loop_is_held_inside_the_block_and_free_after_it(name: str) -> None:
    model = mlp()
    masks = half(model)
    optimizer = OPTIMIZERS[name](model.parameters())
    step(model, optimizer)
    with held(model, masks, optimizer):
        assert leaks(model, masks, optimizer) == []  # on entry, moments of earlier steps included
        for _ in range(20):
            step(model, optimizer)
            assert leaks(model, masks, optimizer) == []
    step(model, optimizer)
    assert leaks(model, masks, optimizer) != []


def test_the_hook_goes_away_when_the_block_raises() -> None:
    model = mlp()
    masks = half(model)
    optimizer = SGD(model.parameters(), lr=0.1)
    with pytest.raises(ZeroDivisionError), held(model, masks, optimizer):
        _ = 1 // 0
    step(model, optimizer)
    assert leaks(model, masks, optimizer) != []


def test_training_a_held_network_leaves_the_kept_weights_free() -> None:
    model = mlp()
    masks = half(model)
    optimizer = SGD(model.parameters(), lr=0.1)
    apply_(model, masks)
    before = {name: weight.detach().clone() for name, weight in prunable(model).items()}
    with held(model, masks, optimizer):
        step(model, optimizer)
    assert any((weight != before[name]).any() for name, weight in prunable(model).items())


def test_an_optimizer_of_another_model_is_refused() -> None:
    model = mlp()
    with pytest.raises(UsageError, match="trains no masked weight of Sequential"):
        Held(model, half(model), SGD(mlp().parameters(), lr=0.1))
