"""Bases are orthonormal, fit or say why not, and the DCT is the textbook's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ticket.errors import UsageError
from ticket.registry import installed
from ticket.uses import bind, read_use
from ticket_plugins.bases.bases import dct, random_orthonormal

BASES = [plugin.name for plugin in installed("bases")]
SHAPES = st.one_of(
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3), st.integers(1, 3)),
)


def test_the_bases_of_the_project_are_installed() -> None:
    assert {"canonical", "dct", "random-orthonormal"} <= set(BASES)


@pytest.mark.parametrize("name", BASES)
@given(shape=SHAPES)
def test_every_basis_is_orthonormal_and_the_same_again(name: str, shape: tuple[int, ...]) -> None:
    basis = bind(read_use("bases", name))
    matrices = basis(shape)
    assert len(matrices) == len(shape)
    for matrix, again, size in zip(matrices, basis(shape), shape, strict=True):
        if matrix is not None:
            assert matrix.shape == (size, size)
            assert torch.allclose(matrix.T @ matrix, torch.eye(size, dtype=torch.float64))
            assert torch.equal(matrix, again)


@given(st.integers(2, 9), st.lists(st.floats(-3, 3), min_size=9, max_size=9))
def test_the_dct_is_the_sum_of_the_textbook(size: int, values: list[float]) -> None:
    signal = values[:size]
    matrix, _ = dct((size, 1))
    assert matrix is not None
    found = (matrix.T @ torch.tensor(signal, dtype=torch.float64)).numpy()
    for k in range(size):
        total = sum(
            x * math.cos(math.pi * (2 * i + 1) * k / (2 * size)) for i, x in enumerate(signal)
        )
        scale = math.sqrt((1 if k == 0 else 2) / size)
        assert found[k] == pytest.approx(scale * total, abs=1e-9)


def test_a_smooth_signal_is_a_few_coefficients() -> None:
    matrix, _ = dct((16, 1))
    assert matrix is not None
    ramp = torch.linspace(-1, 1, 16, dtype=torch.float64)
    sizes = (matrix.T @ ramp).abs()
    assert float(sizes.square().sum()) == pytest.approx(float(ramp.square().sum()))
    assert sizes[1].square() > 0.98 * sizes.square().sum()


def test_blocks_have_transforms_of_their_own() -> None:
    whole, _ = dct((4, 1))
    parts, _ = dct((8, 1), block=4)
    assert whole is not None
    assert parts is not None
    assert torch.equal(parts[:4, :4], whole)
    assert torch.equal(parts[4:, 4:], whole)
    assert not parts[:4, 4:].any()
    first, _ = random_orthonormal((8, 1), block=4)
    assert first is not None
    assert not torch.equal(first[:4, :4], first[4:, 4:])


@pytest.mark.parametrize(
    ("axes", "touched"),
    [("all", [0, 1, 2, 3]), ("channels", [0, 1]), ("taps", [2, 3])],
)
def test_axes_say_what_is_transformed(axes: Any, touched: list[int]) -> None:
    found = dct((4, 6, 3, 5), axes=axes)
    assert [axis for axis, matrix in enumerate(found) if matrix is not None] == touched


def test_random_bases_depend_on_their_own_seed() -> None:
    one, other = random_orthonormal((6, 5)), random_orthonormal((6, 5), seed=1)
    assert one[0] is not None
    assert other[0] is not None
    assert not torch.allclose(one[0], other[0])


def test_random_bases_are_drawn_uniformly() -> None:
    """An entry of a uniform rotation has mean 0 and variance 1/n, the diagonal's as all others'."""
    drawn = [random_orthonormal((4, 1), seed=seed)[0] for seed in range(400)]
    entries = np.stack([m.numpy() for m in drawn if m is not None])
    assert np.abs(entries.mean(0)).max() < 0.1
    assert np.abs(entries.var(0) - 0.25).max() < 0.06


@pytest.mark.parametrize("name", ["dct", "random-orthonormal"])
def test_a_basis_that_does_not_fit_says_what_would(name: str) -> None:
    with pytest.raises(
        UsageError, match=rf"'{name}' with blocks of 8 does not fit an axis of 12; .* as 4"
    ):
        bind(read_use("bases", {"name": name, "block": 8}))((16, 12))
    with pytest.raises(UsageError, match="does not fit an axis of 5000: 4096 is the most"):
        bind(read_use("bases", name))((4, 5000))
