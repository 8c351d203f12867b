"""Which layers will keep too few weights is known before training, where the scope says it."""

from __future__ import annotations

from fractions import Fraction

from ticket.ladder import Layer, Rung
from ticket.starving import starved
from ticket.uses import bind, read_use

# 5 outputs of 4 inputs, then 10 outputs of 5.
LAYERS = [
    Layer("fc1.weight", (5, 4), 20, Fraction(1, 2)),
    Layer("output.weight", (10, 5), 50, Fraction(1, 2)),
    Layer("apart.weight", (9, 9), 81, Fraction(1, 2), excluded=True),
]


def rung(first: int, last: int) -> Rung:
    ideal = {"fc1.weight": Fraction(first), "output.weight": Fraction(last)}
    return Rung(0.0, first + last, ideal)


def warnings(scope: str, *rungs: Rung) -> list[str]:
    return starved(bind(read_use("scopes", scope)), LAYERS, rungs)


def test_a_layer_with_as_many_weights_as_outputs_is_not_told() -> None:
    assert warnings("layer", rung(10, 25), rung(5, 10)) == []


def test_a_layer_is_told_from_the_first_round_on_that_cannot_feed_every_output() -> None:
    assert warnings("layer", rung(5, 12), rung(4, 9), rung(3, 7)) == [
        "from round 2 on 'fc1.weight' keeps 4 weights for 5 outputs: 1 or more get no input",
        "from round 2 on 'output.weight' keeps 9 weights for 10 outputs: 1 or more get no input",
    ]


def test_a_layer_that_keeps_nothing_is_told_as_a_collapse() -> None:
    assert warnings("layer", rung(1, 20), rung(0, 20)) == [
        "from round 1 on 'fc1.weight' keeps 1 weight for 5 outputs: 4 or more get no input",
        "from round 2 on 'fc1.weight' keeps no weight: nothing passes it (layer collapse)",
    ]


def test_where_layers_compete_nothing_is_known() -> None:
    assert warnings("global", rung(0, 2)) == []


def test_a_layer_density_rule_has_counts_of_its_own() -> None:
    assert warnings("uniform", rung(2, 5)) == [
        "from round 1 on 'fc1.weight' keeps 2 weights for 5 outputs: 3 or more get no input",
        "from round 1 on 'output.weight' keeps 5 weights for 10 outputs: 5 or more get no input",
    ]
