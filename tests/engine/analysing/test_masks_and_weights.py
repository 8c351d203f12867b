"""Overlap, signs, distances and paths, on weights few enough to count."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ticket.analysing import agreement, distance
from ticket.analysing.agreement import Agreement
from ticket.analysing.paths import connected
from ticket.errors import UsageError
from ticket.tickets import Ticket, create


def ticket(mask: list[int], weights: list[float]) -> Ticket:
    """Return a ticket of one linear layer with as many inputs."""
    layer = nn.Linear(len(mask), 1, bias=False)
    state = {"weight": torch.tensor([weights])}
    return create(layer, {"weight": torch.tensor([mask]).bool()}, record={}, state=state)


def test_overlap_and_signs_are_counted() -> None:
    one = ticket([1, 1, 1, 0], [1.0, -1.0, 1.0, 1.0])
    other = ticket([0, 1, 1, 0], [1.0, -2.0, -2.0, 1.0])
    found = agreement.agreement(one, other)["weight"]

    assert found == Agreement(size=4, one=3, other=2, both=2, chance=1.5, signs=1)
    assert found.overlap == 1.0
    assert found.above_chance == 1.0
    assert found.sign_agreement == 0.5


def test_masks_apart_are_below_chance_and_dense_ones_say_nothing() -> None:
    apart = agreement.agreement(ticket([1, 1, 0, 0], [1.0] * 4), ticket([0, 0, 1, 1], [1.0] * 4))
    dense = agreement.agreement(ticket([1, 1], [1.0] * 2), ticket([1, 1], [1.0] * 2))

    assert apart["weight"].above_chance == -1.0
    assert apart["weight"].sign_agreement is None
    assert dense["weight"].above_chance is None


def test_chance_is_counted_layer_by_layer() -> None:
    """Two random masks of the same uneven densities agree by chance alone."""
    parts = {"a": Agreement(100, 90, 90, 81, 81.0, 81), "b": Agreement(100, 10, 10, 1, 1.0, 1)}
    whole = agreement.total(parts)
    assert (whole.size, whole.one, whole.both, whole.chance) == (200, 100, 82, 82.0)
    assert whole.above_chance == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_random_masks_overlap_as_by_chance(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    masks = [(torch.rand(4000, generator=generator) < 0.3).int().tolist() for _ in range(2)]
    one, other = (ticket(mask, [1.0] * 4000) for mask in masks)
    found = agreement.agreement(one, other)["weight"]
    # The overlap is hypergeometric: five of its standard deviations.
    share = found.other / found.size
    spread = math.sqrt(found.one * share * (1 - share) * (found.size - found.one) / found.size)
    assert abs(found.both - found.chance) < 5 * spread


def test_tickets_of_two_networks_are_not_compared() -> None:
    with pytest.raises(UsageError, match="different networks"):
        agreement.agreement(ticket([1], [1.0]), ticket([1, 1], [1.0, 1.0]))


def test_distance_is_over_the_survivors_alone() -> None:
    start, end = ticket([1, 1, 0], [3.0, 4.0, 9.0]), ticket([1, 1, 0], [3.0, -8.0, 9.0])
    found = distance.moved(start, end)["weight"]

    assert (found.kept, found.signs) == (2, 1)
    assert found.distance == 12.0
    assert found.relative == 12.0 / 5.0
    assert found.cosine == pytest.approx((9 - 32) / (5 * math.sqrt(73)))


def test_distances_add_up_as_lengths_at_right_angles() -> None:
    one = distance.moved(ticket([1], [0.0]), ticket([1], [3.0]))["weight"]
    other = distance.moved(ticket([1], [0.0]), ticket([1], [4.0]))["weight"]
    whole = distance.total({"a": one, "b": other})
    assert whole.distance == 5.0
    assert whole.relative is None
    assert whole.cosine is None


def chain(*masks: list[list[int]]) -> tuple[nn.Module, dict[str, Tensor]]:
    """Return linear layers in a row, and their masks `[out][in]`."""
    layers: list[nn.Module] = []
    named = {}
    for mask in masks:
        named[f"{len(layers)}.weight"] = torch.tensor(mask).bool()
        layers += [nn.Linear(len(mask[0]), len(mask)), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *layers[:-1]), {
        f"{int(n.partition('.')[0]) + 1}.weight": m for n, m in named.items()
    }


@pytest.mark.parametrize(
    ("masks", "on_a_path"),
    [
        (([[1, 0], [0, 1]], [[1, 1]]), [2, 2]),
        (
            ([[1, 0], [0, 0]], [[0, 1]]),
            [0, 0],
        ),  # a unit that goes nowhere, and one that nothing feeds
        (([[1, 0], [0, 1]], [[1, 0]]), [1, 1]),  # the second unit goes nowhere
        (([[1, 1], [1, 1]], [[0, 0]], [[1]]), [0, 0, 0]),  # an empty layer
    ],
)
def test_weights_on_a_path_are_counted(
    masks: tuple[list[list[int]], ...], on_a_path: list[int]
) -> None:
    network, named = chain(*masks)
    found = connected(network, named, torch.zeros(1, 1, 1, 2))
    assert [int(mask.sum()) for mask in found.values()] == on_a_path


def reachable(masks: Mapping[str, Tensor]) -> list[int]:
    """Count by walking forward from the inputs and back from the outputs."""
    matrices = list(masks.values())
    forward = [torch.ones(matrices[0].shape[1], dtype=torch.bool)]
    for matrix in matrices:
        forward.append((matrix & forward[-1]).any(1))
    backward = [torch.ones(matrices[-1].shape[0], dtype=torch.bool)]
    for matrix in reversed(matrices):
        backward.insert(0, (matrix & backward[0][:, None]).any(0))
    return [int((m & forward[i] & backward[i + 1][:, None]).sum()) for i, m in enumerate(matrices)]


@given(st.integers(0, 10_000), st.floats(0.05, 0.7))
def test_paths_are_those_of_a_walk_through_the_graph(seed: int, density: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    sizes = [4, 5, 3, 4, 2]
    masks = [
        (torch.rand(out, into, generator=generator) < density).int().tolist()
        for into, out in pairwise(sizes)
    ]
    network, named = chain(*masks)
    found = connected(network, named, torch.zeros(1, 1, 2, 2))
    assert [int(mask.sum()) for mask in found.values()] == reachable(named)


def test_normalisation_neither_stops_nor_fakes_a_signal() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1)
    )
    empty = {"0.weight": torch.zeros(2, 1, 3, 3, dtype=torch.bool)}
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    images = torch.zeros(1, 1, 4, 4)

    assert [int(m.sum()) for m in connected(network, {}, images).values()] == [18, 8]
    assert [int(m.sum()) for m in connected(network, empty, images).values()] == [0, 0]
    assert all(torch.equal(t, before[name]) for name, t in network.state_dict().items())
