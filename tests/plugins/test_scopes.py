"""A scope shares out exactly the weights that are kept, and names every layer once."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticket.errors import UsageError
from ticket.ladder import Group, Layer
from ticket.masks import prunable
from ticket.registry import installed
from ticket.uses import bind, read_use
from ticket_plugins.models.resnet import resnet

SCOPES = [plugin.name for plugin in installed("scopes")]


def layer(name: str, *shape: int) -> Layer:
    size = 1
    for side in shape:
        size *= side
    return Layer(name, shape, size, Fraction(1, 5))


def groups_of(scope: str, layers: list[Layer], kept: int) -> list[Group]:
    total = sum(x.size for x in layers)
    ideal = {x.name: Fraction(x.size * kept, total) for x in layers}
    groups: list[Group] = bind(read_use("scopes", scope))(layers, ideal, kept)
    return groups


LENET = [layer("fc1", 300, 784), layer("fc2", 100, 300), layer("output", 10, 100)]


def test_the_four_scopes_of_the_design_are_installed() -> None:
    assert {"global", "layer", "uniform", "erk"} <= set(SCOPES)


@pytest.mark.parametrize("scope", SCOPES)
@settings(max_examples=50, deadline=None)
@given(
    shapes=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=6),
    share=st.floats(0.02, 1),
)
def test_every_scope_shares_out_exactly_what_is_kept(
    scope: str, shapes: list[tuple[int, int]], share: float
) -> None:
    layers = [layer(f"l{i}", *shape) for i, shape in enumerate(shapes)]
    kept = max(1, int(share * sum(x.size for x in layers)))
    groups = groups_of(scope, layers, kept)
    assert sum(group.kept for group in groups) == kept
    assert [name for group in groups for name in group.names] == [x.name for x in layers]
    sizes = {x.name: x.size for x in layers}
    assert all(0 <= g.kept <= sum(sizes[n] for n in g.names) for g in groups)


def test_global_is_one_group() -> None:
    assert groups_of("global", LENET, 1000) == [Group(("fc1", "fc2", "output"), 1000)]


def test_uniform_gives_every_layer_the_same_density() -> None:
    assert [g.kept for g in groups_of("uniform", LENET, 26_620)] == [23_520, 3_000, 100]


def test_layer_keeps_each_layers_own_share() -> None:
    ideal = {"fc1": Fraction(10), "fc2": Fraction(7, 2), "output": Fraction(5, 2)}
    groups = bind(read_use("scopes", "layer"))(LENET, ideal, 16)
    assert [g.kept for g in groups] == [10, 4, 2]


@pytest.mark.parametrize(
    ("density", "expected"),
    [
        (0.2, (0.1622, 0.4694, 1)),
        (0.1, (0.0796, 0.2302, 1)),
        (0.05, (0.0385, 0.1113, 0.9185)),
        (0.02, (0.0154, 0.0445, 0.3674)),
        (0.01, (0.0077, 0.0223, 0.1837)),
    ],
)
def test_erk_gives_lenet_the_densities_of_erdos_renyi(
    density: float, expected: tuple[float, ...]
) -> None:
    groups = groups_of("erk", LENET, round(266_200 * density))
    found = [g.kept / x.size for g, x in zip(groups, LENET, strict=True)]
    assert found == pytest.approx(expected, abs=6e-4)  # the output layer moves by 1/1000 a weight


def test_erk_gives_resnet_20_the_densities_of_evci() -> None:
    weights = prunable(resnet((3, 32, 32), 10, depth=20))
    layers = [layer(name, *weight.shape) for name, weight in weights.items()]
    sizes = {x.name: x.size for x in layers}
    assert sum(sizes.values()) == 270_896
    found = {g.names[0]: g.kept / sizes[g.names[0]] for g in groups_of("erk", layers, 27_090)}
    expected = {
        "stem.weight": 0.983,
        "stages.0.0.conv1.weight": 0.280,
        "stages.0.2.conv2.weight": 0.280,
        "stages.1.0.conv1.weight": 0.199,
        "stages.1.0.conv2.weight": 0.129,
        "stages.1.0.shortcut.conv.weight": 1,
        "stages.2.0.conv1.weight": 0.094,
        "stages.2.2.conv2.weight": 0.062,
        "stages.2.0.shortcut.conv.weight": 0.813,
        "classifier.weight": 1,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=2e-3)


def test_erk_refuses_more_weights_than_there_are() -> None:
    with pytest.raises(UsageError, match="erk cannot keep 266,201 of 266,200 weights"):
        groups_of("erk", LENET, 266_201)
