"""Masks survive being packed to one bit a weight, and what is no packed mask is refused."""

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ticket import _torch_kernels, kernels
from ticket.errors import TicketError


@pytest.fixture(autouse=True, scope="module")
def _without_the_warning_for_a_missing_library() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", kernels.KernelsMissingWarning)
        kernels.hold_([torch.zeros(1)], [torch.zeros(1, dtype=torch.bool)])
        yield


def test_bits_are_packed_from_the_lowest() -> None:
    mask = torch.tensor([[True, False, False], [True, False, False], [False, False, True]])

    assert kernels.pack_bits(mask).tolist() == [0b00001001, 0b1]
    assert torch.equal(kernels.unpack_bits(torch.tensor([9, 1], dtype=torch.uint8), (3, 3)), mask)


@settings(deadline=None)
@given(bits=st.lists(st.booleans(), max_size=150))
def test_packing_round_trips_and_agrees_with_numpy(bits: list[bool]) -> None:
    mask = torch.tensor(bits, dtype=torch.bool)
    packed = kernels.pack_bits(mask)

    assert packed.tolist() == np.packbits(mask.numpy(), bitorder="little").tolist()
    assert torch.equal(_torch_kernels.pack_bits(mask), packed)
    assert torch.equal(kernels.unpack_bits(packed, mask.shape), mask)
    assert torch.equal(_torch_kernels.unpack_bits(packed, len(bits)), mask)


def test_a_mask_of_any_layout_is_packed_in_row_major_order() -> None:
    mask = torch.tensor([[True, False], [True, True]]).t()

    assert kernels.pack_bits(mask).tolist() == [0b1011]
    assert kernels.pack_bits(torch.tensor(True)).tolist() == [1]


@pytest.mark.parametrize(
    ("packed", "shape", "reason"),
    [
        (torch.zeros(1, dtype=torch.uint8), (3, 3), r"shape \(3, 3\) takes \(2,\) torch.uint8"),
        (torch.zeros(2, dtype=torch.int8), (3, 3), r"\(2,\) torch.int8: shape"),
        (torch.zeros(1, 2, dtype=torch.uint8), (3, 3), r"of \(1, 2\) torch.uint8"),
        (torch.tensor([0, 2], dtype=torch.uint8), (3, 3), "a padding bit is set"),
    ],
)
def test_bits_that_are_no_mask_are_refused(
    packed: Tensor, shape: tuple[int, ...], reason: str
) -> None:
    with pytest.raises(TicketError, match=reason):
        kernels.unpack_bits(packed, shape)


def test_a_mask_to_pack_must_be_bool() -> None:
    with pytest.raises(TicketError, match=r"a mask is bool, not torch\.float32"):
        kernels.pack_bits(torch.ones(3))
