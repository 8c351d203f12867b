"""A ticket is called matching or winning by the definitions of the papers, from three seeds on."""

from __future__ import annotations

import pytest

from ticket.verdict import judge

DENSE = [0.97, 0.98, 0.99]  # mean 0.98, standard deviation 0.01


@pytest.mark.parametrize(
    ("dense", "ticket", "reinit", "word"),
    [
        ([0.9], [0.9], [], "undecided"),
        ([0.9, 0.91], [0.95, 0.95], [0.1, 0.1], "undecided"),
        (DENSE, [0.99, 0.99], [], "undecided"),
        (DENSE[:2], [0.99, 0.99, 0.99], [], "undecided"),
        ([], [0.99, 0.99, 0.99], [], "undecided"),
        (DENSE, [0.98, 0.98, 0.98], [], "matching"),
        (DENSE, [0.9701, 0.9701, 0.9701], [], "matching"),  # within the dense runs' deviation
        (DENSE, [0.9699, 0.9699, 0.9699], [], "not matching"),
        (DENSE, [0.9699, 0.9699, 0.9699], [0.5, 0.5, 0.5], "not matching"),
        (DENSE, [0.985, 0.985, 0.985], [0.9, 0.9, 0.9], "winning"),
        (DENSE, [0.985, 0.985, 0.985], [0.985, 0.985, 0.985], "matching"),
        (DENSE, [0.975, 0.985, 0.995], [0.974, 0.974, 0.974], "winning"),  # 0.011 over 0.010
        (DENSE, [0.975, 0.985, 0.995], [0.976, 0.976, 0.976], "matching"),  # 0.009
        (DENSE, [0.985, 0.985, 0.985], [0.95, 0.97, 0.99], "matching"),  # the control's own spread
        (DENSE, [0.985, 0.985, 0.985], [0.9, 0.9], "matching"),
    ],
)
def test_the_word_follows_the_definition(
    dense: list[float], ticket: list[float], reinit: list[float], word: str
) -> None:
    assert judge(dense, ticket, reinit).word == word


def test_the_boundary_belongs_to_matching() -> None:
    dense = [0.0, 0.5, 1.0]  # exact in binary: mean 0.5, standard deviation 0.5
    assert judge(dense, [0.0, 0.0, 0.0], []).word == "matching"
    assert judge(dense, [-0.001, 0.0, 0.0], []).word == "not matching"


def test_the_reason_says_what_would_decide() -> None:
    assert "--replicates 3 decides (1 more to run)" in judge([0.9, 0.9], [0.9, 0.9], []).reason
    assert "--controls reinit decides" in judge(DENSE, DENSE, []).reason
    assert "--controls dense" in judge([], DENSE, []).reason


def test_the_reason_shows_the_figures() -> None:
    reason = judge(DENSE, [0.9, 0.9, 0.9], []).reason
    assert "ticket 90.00 ± 0.00 %, dense 98.00 ± 1.00 % over 3 seeds: 8.00 points below" in reason
