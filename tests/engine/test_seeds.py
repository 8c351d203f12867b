"""A seed gives independent streams, each found again by its name, and leaves torch's generator alone."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from ticket.seeds import number, stream, torch_seeded

NAMES = st.tuples(st.sampled_from(["order", "init", "masks"]), st.integers(0, 99))


def test_a_streams_number_does_not_change() -> None:
    """Every ticket ever made depends on these numbers: another one here makes another ticket."""
    assert number(0, "init") == 3330654677893223573
    assert number(7, "order", "round-3/0-train", 12) == 1190480355126486806


@given(NAMES, NAMES, st.integers(0, 5), st.integers(0, 5))
def test_streams_are_equal_only_if_seed_and_name_are(
    one: tuple[str, int], other: tuple[str, int], seed: int, another: int
) -> None:
    same = (one, seed) == (other, another)
    assert (number(seed, *one) == number(another, *other)) is same
    first, second = stream(seed, *one), stream(another, *other)
    assert torch.equal(torch.rand(4, generator=first), torch.rand(4, generator=second)) is same


def test_code_on_a_stream_leaves_torchs_generator_as_it_was() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with torch_seeded(0, "init"):
        drawn = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with torch_seeded(0, "init"):
        assert torch.equal(torch.rand(3), drawn)
    with torch_seeded(1, "init"):
        assert not torch.equal(torch.rand(3), drawn)
