"""A mapping says which unit each unit is a copy of; squeezing undoes stretching."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ticket.errors import UsageError
from ticket.seeds import stream
from ticket_plugins.transforms.mapping import Drop, Order, Replicate, assign

COUNTS = st.integers(1, 20)


def targets_of(units: tuple[int, ...]) -> str:
    """Write a mapping as the paper's code does, `source:target,target;...`."""
    return ";".join(
        f"{source}:" + ",".join(str(t) for t, s in enumerate(units) if s == source)
        for source in sorted(set(units))
    )


def cifar(depth: int) -> int:
    return (depth - 2) // 6


def test_resnet_32_to_56_interpolated_is_the_mapping_that_the_paper_prints() -> None:
    units = assign(cifar(32), cifar(56), order="interpolate")
    assert targets_of(units) == "0:0;1:1,2;2:3,4;3:5,6;4:7,8"


@pytest.mark.parametrize(
    ("source", "target", "units"),
    [
        (20, 32, (0, 1, 2, 1, 2)),
        (20, 56, (0, 1, 2, 1, 2, 1, 2, 1, 2)),
        (32, 44, (0, 1, 2, 3, 4, 1, 2)),
        (32, 56, (0, 1, 2, 3, 4, 1, 2, 3, 4)),
        (14, 20, (0, 1, 1)),
        (56, 32, (0, 1, 2, 3, 4)),
        (20, 14, (0, 1)),
        (20, 8, (0,)),
        (8, 8, (0,)),
    ],
)
def test_appending_repeats_the_units_from_the_first(
    source: int, target: int, units: tuple[int, ...]
) -> None:
    assert assign(cifar(source), cifar(target)) == units


@pytest.mark.parametrize(
    ("order", "replicate", "units"),
    [
        ("append", "first", (0, 1, 2, 3, 4, 5, 1, 2)),
        ("append", "last", (0, 1, 2, 3, 4, 5, 4, 5)),
        ("append", "uniform", (0, 1, 2, 3, 4, 5, 1, 3)),
        ("interpolate", "first", (0, 1, 1, 2, 2, 3, 4, 5)),
        ("interpolate", "last", (0, 1, 2, 3, 4, 4, 5, 5)),
        ("interpolate", "uniform", (0, 1, 1, 2, 3, 3, 4, 5)),
        ("reverse", "first", (0, 2, 1, 5, 4, 3, 2, 1)),
        ("reverse", "last", (0, 5, 4, 5, 4, 3, 2, 1)),
    ],
)
def test_five_units_become_seven(
    order: Order, replicate: Replicate, units: tuple[int, ...]
) -> None:
    assert assign(6, 8, order=order, replicate=replicate) == units


@pytest.mark.parametrize(
    ("order", "drop", "units"),
    [
        ("append", "inverse", (0, 1, 2, 3)),
        ("append", "first", (0, 6, 7, 8)),
        ("append", "last", (0, 1, 2, 3)),
        ("append", "uniform", (0, 1, 3, 6)),
        ("interpolate", "inverse", (0, 1, 4, 7)),  # groups of 3, 3 and 2 copies
        ("interpolate", "first", (0, 6, 7, 8)),
        ("reverse", "inverse", (0, 8, 7, 6)),
        ("reverse", "last", (0, 3, 2, 1)),
        ("reverse", "uniform", (0, 6, 3, 1)),
    ],
)
def test_eight_units_become_three(order: Order, drop: Drop, units: tuple[int, ...]) -> None:
    assert assign(9, 4, order=order, drop=drop) == units


def test_a_stage_that_keeps_its_length_is_only_re_ordered() -> None:
    assert assign(4, 4) == assign(4, 4, order="interpolate", drop="first") == (0, 1, 2, 3)
    assert assign(4, 4, order="reverse", replicate="last") == (0, 3, 2, 1)
    assert assign(9, 9, order="shuffle", generator=stream(0)) != assign(9, 9)


def test_no_units_can_be_made_of_none() -> None:
    with pytest.raises(
        UsageError, match="2 units cannot be made of a stage that has only its first"
    ):
        assign(1, 3)


@given(source=st.integers(2, 20), more=st.integers(0, 40))
def test_appending_is_the_formula_of_the_paper(source: int, more: int) -> None:
    n = source - 1
    units = assign(source, source + more)
    assert units == (0, *(1 + (t - 1) % n for t in range(1, source + more)))


@given(source=st.integers(2, 20), more=st.integers(0, 40))
def test_interpolating_is_the_formula_of_the_paper(source: int, more: int) -> None:
    n, m = source - 1, source - 1 + more
    units = assign(source, source + more, order="interpolate")
    assert units == (0, *(j for j in range(1, n + 1) for _ in range(m // n + (j <= m % n))))


@pytest.mark.parametrize("order", ["append", "interpolate", "reverse"])
@given(short=st.integers(2, 20), more=st.integers(0, 40))
def test_squeezing_undoes_stretching(order: Order, short: int, more: int) -> None:
    stretched = assign(short, short + more, order=order)
    squeezed = assign(short + more, short, order=order)
    assert [stretched[unit] for unit in squeezed] == list(range(short))


@given(
    source=st.integers(2, 20),
    target=COUNTS,
    order=st.sampled_from(["append", "interpolate", "reverse", "shuffle"]),
    replicate=st.sampled_from(["first", "last", "uniform", "random"]),
    drop=st.sampled_from(["inverse", "first", "last", "uniform", "random"]),
    seed=st.integers(0, 9),
)
def test_units_are_used_as_evenly_as_can_be_and_the_first_stays_first(
    source: int, target: int, order: Order, replicate: Replicate, drop: Drop, seed: int
) -> None:
    def made() -> tuple[int, ...]:
        generator = stream(seed)
        return assign(
            source, target, order=order, replicate=replicate, drop=drop, generator=generator
        )

    units = made()
    assert units == made()
    assert len(units) == target
    assert units[0] == 0
    copies = Counter(units[1:])
    assert copies.keys() <= set(range(1, source))
    passes = (target - 1) // (source - 1)
    assert {copies[unit] for unit in range(1, source)} <= {passes, passes + 1}
    if order == "interpolate" or (order == "append" and target <= source):
        assert list(units) == sorted(units)


@given(source=st.integers(2, 30), target=st.integers(2, 30))
def test_uniform_choices_lie_evenly(source: int, target: int) -> None:
    if target <= source:
        chosen = assign(source, target, drop="uniform")[1:]
    else:
        copies = Counter(assign(source, target, replicate="uniform")[1:])
        chosen = tuple(sorted(u for u, c in copies.items() if c > min(copies.values())))
    gaps = {b - a for a, b in pairwise(chosen)}
    assert not gaps or max(gaps) - min(gaps) <= 1


@given(source=st.integers(2, 20), target=COUNTS)
def test_reversing_and_shuffling_take_the_units_of_appending(source: int, target: int) -> None:
    appended = assign(source, target, drop="last")
    assert assign(source, target, drop="last", order="reverse")[1:] == appended[:0:-1]
    shuffled = assign(source, target, order="shuffle", generator=stream(1))
    assert Counter(shuffled) == Counter(appended)


def test_chance_is_the_generators() -> None:
    def drawn(seed: int, **options: str) -> tuple[int, ...]:
        generator = torch.Generator().manual_seed(seed)
        return assign(20, 30, generator=generator, **options)  # type: ignore[arg-type]

    for options in ({"order": "shuffle"}, {"replicate": "random"}):
        assert drawn(0, **options) == drawn(0, **options)
        assert len({drawn(seed, **options) for seed in range(5)}) == 5
    dropped = {assign(30, 20, drop="random", generator=stream(seed)) for seed in range(5)}
    assert len(dropped) == 5
