"""What each round keeps is fixed before anything trains: exact integers by one documented rule."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ticket.errors import UsageError
from ticket.ladder import Layer, Rung, apportion, groups, half_up, ladder
from ticket.recipe import Recipe
from ticket.uses import bind, read_use

LENET = (("fc1", 235_200, 0.2), ("fc2", 30_000, 0.2), ("output", 1_000, 0.1))
# Rounds of 20/20/10 on LeNet-300-100: n (1-p)^r of each layer, rounded half up.
TABLE = {
    1: (188_160, 24_000, 900),
    3: (120_422, 15_360, 729),
    7: (49_325, 6_291, 478),
    9: (31_568, 4_027, 387),  # of 4026.53
    12: (16_163, 2_062, 282),  # of 16162.82, 2061.58
    15: (8_275, 1_056, 206),  # of 1055.53, 205.89
    16: (6_620, 844, 185),
}


def layers(*described: tuple[str, int, float], excluded: tuple[str, ...] = ()) -> list[Layer]:
    return [Layer(n, (s,), s, Fraction(repr(p)), n in excluded) for n, s, p in described]


def recipe(**fields: Any) -> Recipe:
    return Recipe("test", **fields)


def kept(rung: Rung, of: list[Layer], scope: str = "layer") -> tuple[int, ...]:
    have = {layer.name: layer.size for layer in of}
    made = groups(bind(read_use("scopes", scope)), of, rung, have)
    return tuple(group.kept for group in made)


@pytest.mark.parametrize("number", TABLE)
def test_lenet_keeps_the_papers_weights_each_round(number: int) -> None:
    rungs = ladder(recipe(rounds=16), layers(*LENET))
    assert len(rungs) == 16
    assert kept(rungs[number - 1], layers(*LENET)) == TABLE[number]
    assert rungs[number - 1].kept == sum(TABLE[number])


@pytest.mark.parametrize("number", TABLE)
def test_one_shot_at_a_density_keeps_in_each_layer_what_the_ladder_keeps(number: int) -> None:
    sparsity = 1 - sum(TABLE[number]) / 266_200
    (rung,) = ladder(recipe(rounds=1, rate=None, sparsity=sparsity), layers(*LENET))
    assert kept(rung, layers(*LENET)) == TABLE[number]


@pytest.mark.parametrize("number", TABLE)
def test_a_target_that_lies_on_the_ladder_is_met_by_whole_rounds(number: int) -> None:
    sparsity = 1 - sum(TABLE[number]) / 266_200
    rungs = ladder(recipe(sparsity=sparsity), layers(*LENET))
    assert [rung.exponent for rung in rungs] == pytest.approx(range(1, number + 1), abs=1e-4)
    assert kept(rungs[-1], layers(*LENET)) == TABLE[number]


@pytest.mark.parametrize(
    ("sparsity", "left"), [(0.9, 26_620), (0.5, 133_100), (0.99, 2_662), (0.789, 56_168)]
)
def test_a_target_is_met_exactly_and_only_the_last_round_is_shorter(
    sparsity: float, left: int
) -> None:
    free = ladder(recipe(rounds=25), layers(*LENET))
    rungs = ladder(recipe(sparsity=sparsity), layers(*LENET))
    assert rungs[-1].kept == left
    assert sum(kept(rungs[-1], layers(*LENET))) == left
    assert [r.kept for r in rungs[:-1]] == [r.kept for r in free if r.kept > left][: len(rungs) - 1]
    assert free[len(rungs) - 1].kept <= left


def test_a_global_ladder_rounds_the_total_half_up() -> None:
    rungs = ladder(recipe(rounds=4), layers(("a", 7, 0.2), ("b", 6, 0.2)))
    assert [rung.kept for rung in rungs] == [10, 8, 7, 5]  # of 10.4, 8.32, 6.656, 5.3248
    assert half_up(Fraction(5, 2)) == 3


def test_rounds_and_sparsity_without_a_rate_share_the_way_evenly() -> None:
    rungs = ladder(recipe(rounds=2, rate=None, sparsity=0.75), layers(("a", 1000, 0.2)))
    assert [rung.kept for rung in rungs] == [500, 250]


def test_excluded_layers_stay_dense_and_count_as_dense() -> None:
    of = layers(("a", 600, 0.2), ("b", 400, 0.2), excluded=("b",))
    (rung,) = ladder(recipe(rounds=1, rate=None, sparsity=0.5), of)
    assert rung.kept == 100  # 100 + 400 = 500 of 1000
    assert kept(rung, of) == (100,)
    assert [rung.kept for rung in ladder(recipe(rounds=1), of)] == [480]


def test_a_recipe_that_prunes_nothing_has_no_rungs() -> None:
    assert ladder(recipe(), layers(*LENET)) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rounds": 3, "sparsity": 0.9}, "3 rounds at rate 0.2 do not reach sparsity 0.9"),
        ({"rounds": 30, "sparsity": 0.9}, "30 rounds at rate 0.2 go past sparsity 0.9"),
        ({"rounds": 3, "rate": None}, "needs a rate or a sparsity"),
        ({"sparsity": 0.9999999}, "sparsity 1 of 266,200 weights leaves 0"),
    ],
)
def test_a_target_that_the_rounds_cannot_reach_is_refused(
    fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        ladder(recipe(**fields), layers(*LENET))


def test_a_refusal_says_what_would_reach_the_target() -> None:
    with pytest.raises(UsageError, match=r"it takes 11\), or use --rate 0\.5359"):
        ladder(recipe(rounds=3, sparsity=0.9), layers(*LENET))
    assert len(ladder(recipe(sparsity=0.9), layers(*LENET))) == 11
    followed = layers(*((name, size, 0.5359) for name, size, _ in LENET))
    assert len(ladder(recipe(rounds=3, sparsity=0.9, rate=0.5359), followed)) == 3


def test_a_target_below_the_excluded_weights_is_refused() -> None:
    of = layers(("a", 600, 0.2), ("b", 400, 0.2), excluded=("b",))
    with pytest.raises(UsageError, match=r"ask for at most 0.599 or exclude fewer layers"):
        ladder(recipe(sparsity=0.6), of)
    assert ladder(recipe(sparsity=0.599), of)[-1].kept == 1


def test_a_target_below_the_layers_whose_rate_is_zero_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be reached"):
        ladder(recipe(sparsity=0.9), layers(("a", 600, 0.2), ("b", 400, 0.0)))


def test_a_scope_that_would_let_weights_come_back_is_refused() -> None:
    of = layers(("a", 10, 0.2))
    with pytest.raises(UsageError, match="a would need 8 weights and has 7 left"):
        groups(bind(read_use("scopes", "global")), of, ladder(recipe(rounds=1), of)[0], {"a": 7})


def test_apportion_gives_what_is_missing_to_the_largest_remainders() -> None:
    thirds = {"a": Fraction(4, 3), "b": Fraction(5, 3), "c": Fraction(4, 3)}
    assert apportion(thirds, 4) == {"a": 1, "b": 2, "c": 1}
    assert apportion(thirds, 5) == {"a": 2, "b": 2, "c": 1}  # at equal remainders the earlier


SIZES = st.lists(st.integers(1, 300), min_size=1, max_size=5)
RATES = st.sampled_from([0.05, 0.1, 0.15, 0.2, 0.5])


@settings(max_examples=15, deadline=None)
@given(SIZES, st.lists(RATES, min_size=6, max_size=6), st.integers(1, 16), st.booleans())
def test_each_round_keeps_exactly_its_count_and_no_layer_grows(
    sizes: list[int], rates: list[float], rounds: int, same: bool
) -> None:
    of = layers(*((f"l{i}", s, rates[0 if same else i]) for i, s in enumerate(sizes)))
    have = {layer.name: layer.size for layer in of}
    for rung in ladder(recipe(rounds=rounds), of):
        made = groups(bind(read_use("scopes", "layer")), of, rung, have)
        now = {group.names[0]: group.kept for group in made}
        assert sum(now.values()) == rung.kept
        assert all(now[name] <= have[name] for name in have)
        have = now


@settings(max_examples=15, deadline=None)
@given(SIZES, RATES, st.floats(0.01, 0.99), st.sampled_from(["layer", "uniform", "erk", "global"]))
def test_any_target_is_met_exactly_by_every_scope(
    sizes: list[int], rate: float, sparsity: float, scope: str
) -> None:
    of = layers(*((f"l{i}", s, rate) for i, s in enumerate(sizes)))
    target = half_up(sum(sizes) * (1 - Fraction(repr(sparsity))))
    assume(target >= 1)
    have = {layer.name: layer.size for layer in of}
    for rung in ladder(recipe(sparsity=sparsity), of):
        made = groups(bind(read_use("scopes", scope)), of, rung, have)
        assert sum(group.kept for group in made) == rung.kept <= sum(have.values())
        if scope != "global":
            have = {group.names[0]: group.kept for group in made}
    assert rung.kept == target
