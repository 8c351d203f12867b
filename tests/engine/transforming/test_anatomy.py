"""A network is taken apart into the units it tells and the rest; what it tells wrongly is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from ticket.errors import UsageError
from ticket.transforming.anatomy import anatomy

Make = Callable[..., Any]


def test_every_tensor_is_a_units_or_of_the_rest(tower: Make) -> None:
    bones = anatomy(tower(2, 1), "tower")
    assert bones.name == "tower"
    assert bones.stages == {
        "wide": (
            {"weight": "wide.0.weight", "bias": "wide.0.bias"},
            {"weight": "wide.1.weight", "bias": "wide.1.bias"},
        ),
        "narrow": (
            {
                "0.weight": "narrow.0.weight",
                "0.bias": "narrow.0.bias",
                "1.weight": "norms.0.weight",
                "1.bias": "norms.0.bias",
                "1.running_mean": "norms.0.running_mean",
                "1.running_var": "norms.0.running_var",
                "1.num_batches_tracked": "norms.0.num_batches_tracked",
            },
        ),
    }
    assert bones.rest == ("stem.weight", "stem.bias", "classifier.weight", "classifier.bias")
    assert bones.shapes["narrow.0.weight"] == (4, 6)
    assert bones.shapes["norms.0.num_batches_tracked"] == ()


def test_a_unit_does_not_take_what_only_begins_like_it(tower: Make) -> None:
    (_, second, *_) = anatomy(tower(11, 1), "tower").stages["wide"]
    assert set(second.values()) == {"wide.1.weight", "wide.1.bias"}  # and not wide.10


def test_a_unit_of_modules_within_modules_names_tensors_from_its_own_root() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    network.units = {"s": ("1",)}  # type: ignore[assignment]
    (unit,) = anatomy(network, "net").stages["s"]
    assert unit["0.weight"] == "1.0.weight"
    assert unit["1.running_var"] == "1.1.running_var"


def test_a_shared_tensor_counts_once_under_its_first_name(tower: Make) -> None:
    network = tower(2, 1)
    network.head = nn.Linear(6, 6)
    network.head.weight = network.wide[1].weight
    bones = anatomy(network, "tower")
    assert bones.stages["wide"][1]["weight"] == "wide.1.weight"
    assert "head.weight" not in bones.shapes
    assert "head.bias" in bones.rest


def test_units_that_share_a_tensor_are_refused(tower: Make) -> None:
    network = tower(2, 1)
    network.wide[1].weight = network.wide[0].weight
    network.wide[1].bias = network.wide[0].bias
    with pytest.raises(
        UsageError, match=r"wide names the unit 'wide\.1', a module without tensors"
    ):
        anatomy(network, "tower")


NESTED = "'narrow.0.weight' belongs to unit 0 of narrow and to unit 0 of twice"


@pytest.mark.parametrize(
    ("units", "message"),
    [
        (None, "model 'net' tells no units, .* attribute `units`.* plugins/README.md"),
        ({}, r"`units` wants \{stage: \[module, ...\]\}, got nothing"),
        (["wide.0"], "`units` wants .*, got list"),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU()), "`units` wants .*, got Sequential"),
        ({"wide": "wide"}, "wide wants a list of modules, got str"),
        ({"wide": 3}, "wide wants a list of modules, got int"),
        ({"wide": [nn.ReLU()]}, "wide wants the names of modules, such as 'layers.1', got ReLU"),
        ({"wide": [["wide.0", 7]]}, "wide wants the names of modules, .* got int"),
        ({"wide": ["wide.9"]}, "wide names the unit 'wide.9', a module without tensors"),
        ({"wide": ["stem.weight"]}, "names the unit 'stem.weight', a module without tensors"),
        ({"wide": ["wide.0", "wide.0"]}, "belongs to unit 0 of wide and to unit 1 of wide"),
        ({"narrow": ["narrow.0"], "twice": ["narrow"]}, NESTED),
        ({"wide": ["wide.0"], "narrow": []}, "model 'net': narrow has no unit"),
    ],
)
def test_units_told_wrongly_are_refused_in_one_line(tower: Make, units: Any, message: str) -> None:
    network = tower(2, 1)
    network.units = units
    with pytest.raises(UsageError, match=message) as refused:
        anatomy(network, "net")
    assert "\n" not in str(refused.value)


def test_a_network_without_the_attribute_tells_no_units() -> None:
    with pytest.raises(UsageError, match="model 'plain' tells no units"):
        anatomy(nn.Linear(2, 2), "plain")
