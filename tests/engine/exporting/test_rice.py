"""Rice codes hold positions in the fewest bits that one parameter allows, and give them back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticket.errors import TicketError
from ticket.exporting import rice


def array(*positions: int) -> rice.Positions:
    return np.array(positions, dtype=np.int64)


def bits(stream: bytes) -> str:
    """Spell a stream from the lowest bit of the first byte on."""
    return "".join(f"{byte:08b}"[::-1] for byte in stream)


def test_parameter_0_is_the_bitmap_without_its_trailing_zeros() -> None:
    k, stream = rice.encode(array(0, 1, 3, 4))
    assert (k, bits(stream)) == (0, "11011000")


def test_a_gap_is_its_upper_part_in_unary_and_its_lower_bits() -> None:
    # Gaps 13, 9, 14 by k = 3: 13 = 1 * 8 + 5 is 0, 1, then 101 from the lowest bit on; 9 = 1 * 8 + 1.
    k, stream = rice.encode(array(13, 23, 38))
    assert k == 3
    assert bits(stream) == "01101" + "01100" + "01011" + "0"


def test_no_positions_make_no_bytes() -> None:
    assert rice.encode(array()) == (0, b"")
    assert rice.decode(b"", 0, 0, 10).tolist() == []


@given(st.sets(st.integers(0, 5000)))
def test_positions_come_back(positions: set[int]) -> None:
    ascending = array(*sorted(positions))
    k, stream = rice.encode(ascending)
    assert rice.decode(stream, k, len(ascending), 5001).tolist() == ascending.tolist()


@given(st.lists(st.integers(0, 2**28), min_size=1, max_size=30))
def test_the_parameter_is_the_best_of_all(gaps: list[int]) -> None:
    def length(k: int) -> int:
        return sum((gap >> k) + 1 + k for gap in gaps)

    best = min(length(k) for k in range(rice.LARGEST_K + 1))
    assert length(rice.best_k(np.array(gaps, dtype=np.int64))) == best


@pytest.mark.parametrize("density", [0.5, 0.1, 0.05, 0.02, 0.01, 0.001])
def test_random_positions_cost_within_four_hundredths_of_their_entropy(density: float) -> None:
    positions = np.flatnonzero(np.random.default_rng(0).random(400_000) < density)
    _, stream = rice.encode(positions.astype(np.int64))
    entropy = -density * np.log2(density) - (1 - density) * np.log2(1 - density)
    assert 8 * len(stream) < 1.04 * 400_000 * entropy


@pytest.mark.parametrize(
    ("stream", "k", "count", "wrong"),
    [
        (b"", 0, 1, "ends before the last nonzero"),
        (b"\x01", 0, 2, "ends before the last nonzero"),
        (b"\x80", 3, 1, "ends before the last nonzero"),
        (b"\x03", 0, 1, "goes on after the last nonzero"),
        (b"\x01\x00", 0, 1, "goes on after the last nonzero"),
        (b"\x00\x01", 0, 1, "outside the weights"),
        (b"\x0f", 3, 1, "outside the weights"),
    ],
)
def test_a_wrong_stream_is_refused(stream: bytes, k: int, count: int, wrong: str) -> None:
    with pytest.raises(TicketError, match=wrong):
        rice.decode(stream, k, count, 7)


@given(st.binary(max_size=12), st.integers(0, 24), st.integers(0, 96))
def test_any_bytes_are_refused_or_are_what_encode_would_write(
    stream: bytes, k: int, count: int
) -> None:
    try:
        positions = rice.decode(stream, k, count, 1 << 31)
    except TicketError:
        return
    gaps = np.diff(positions, prepend=-1) - 1
    spelled = "".join(
        "0" * (gap >> k) + "1" + f"{gap & ((1 << k) - 1):0{k}b}"[::-1] * (k > 0)
        for gap in gaps.tolist()
    )
    assert bits(stream).startswith(spelled)
    assert set(bits(stream)[len(spelled) :]) <= {"0"}
