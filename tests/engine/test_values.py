"""A value is what its annotation says, wherever it came from; what cannot be that is named."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticket.steps import Steps
from ticket.values import (
    Between,
    Count,
    NotNegative,
    Positive,
    Share,
    closest,
    options_of,
    read,
    read_fields,
)

Shape = Literal["linear", "cubic"]


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        ("1e-3", float, 0.001),  # PyYAML gives text for it
        (1, float, 1.0),
        ("12", int, 12),
        (12.0, int, 12),
        ("true", bool, True),
        (False, bool, False),
        ("linear", Shape, "linear"),
        ("500it", Steps, Steps(500, "it")),
        ("300, 100", tuple[int, ...], (300, 100)),
        ("[300, 100]", tuple[int, ...], (300, 100)),
        ([300, "100"], tuple[int, ...], (300, 100)),
        ("none", int | None, None),
        (None, int | None, None),
        ("3", int | None, 3),
        ("0.5", Share, 0.5),
        (0, NotNegative, 0.0),
    ],
)
def test_a_value_is_read_by_its_annotation(
    value: object, annotation: Any, expected: object
) -> None:
    result = read(value, annotation)
    assert (result, type(result)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("value", "annotation", "said"),
    [
        ("abc", float, "wants a number, got 'abc'"),
        ("nan", float, "wants a number"),
        (math.inf, float, "wants a number"),
        (True, float, "wants a number, got True"),
        (True, int, "wants a whole number, got True"),
        (1.5, int, "wants a whole number, got 1.5"),
        ("inf", int, "wants a whole number"),
        (1, bool, "wants true or false, got 1"),
        (3, str, "wants text, got 3"),
        ("linaer", Shape, r"wants linear or cubic, got 'linaer'; did you mean 'linear'\?"),
        (5, tuple[int, ...], "wants a list, got 5"),
        ("1,x", tuple[int, ...], "wants a whole number, got 'x'"),
        ("half", int | None, "wants a whole number"),
        (0, Positive, r"wants a number in \(0, inf\], got 0"),
        (-1, NotNegative, r"wants a number in \[0, inf\], got -1"),
        (0, Count, "got 0"),
        (1, Share, r"wants a number in \(0, 1\), got 1"),
        (0, Share, "got 0"),
        (-1, Share, "got -1"),
        (1.5, Share, r"got 1\.5"),
        ("nan", Share, "wants a number"),
    ],
)
def test_a_wrong_value_is_refused_saying_what_is_wanted(
    value: object, annotation: Any, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        read(value, annotation)


@pytest.mark.parametrize("number", [0.0, 1.0])
def test_closed_ends_belong_to_a_range(number: float) -> None:
    Between(0, 1).check(number)
    with pytest.raises(ValueError, match="wants a number"):
        Between(0, 1, open_low=True, open_high=True).check(number)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_survives_its_text(number: float) -> None:
    assert read(repr(number), float) == number


@given(st.integers(-(2**70), 2**70))
def test_a_whole_number_survives_its_text(number: int) -> None:
    assert read(str(number), int) == number
    assert read(number, int) == number


def plugin(
    given: int, *, rate: Annotated[float, Between(0, 1)] = 0.5, name: str, deep: bool = False
) -> None:
    """Take options as a plugin does."""


def test_the_keyword_only_parameters_are_the_options() -> None:
    options = options_of(plugin)
    assert list(options) == ["rate", "name", "deep"]
    assert options["rate"][1] == 0.5
    assert options["name"] == (str, ...)


def test_all_mistakes_are_told_at_once_with_the_closest_name() -> None:
    values, mistakes = read_fields(
        {"rat": 1, "rate": 2, "deep": "yes"}, options_of(plugin), "p", "option"
    )
    assert values == {}
    assert mistakes == [
        "p has no option 'rat'; did you mean 'rate'?",
        "p: rate wants a number in [0, 1], got 2",
        "p: deep wants true or false, got 'yes'",
        "p needs the option 'name'",
    ]


def test_what_has_no_options_says_so() -> None:
    assert read_fields({"x": 1}, {}, "p", "option")[1] == ["p has no option 'x'; it takes none"]


def test_a_name_far_from_all_others_gets_no_guess() -> None:
    assert closest("zzz", ["magnitude", "random"]) == ""
    assert closest("magnitud", ["magnitude", "random"]) == "; did you mean 'magnitude'?"
