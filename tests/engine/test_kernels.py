"""The kernels clear exactly what a stable sort of everything would, compiled or in torch."""

import os
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

AWKWARD = [0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 3.4e38, float("inf"), float("-inf")]
scores_lists = st.lists(
    st.lists(
        st.one_of(st.sampled_from(AWKWARD), st.floats(width=32, allow_nan=False)), max_size=90
    ),
    min_size=1,
    max_size=4,
)


@pytest.fixture(autouse=True, scope="module")
def _without_the_warning_for_a_missing_library() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", kernels.KernelsMissingWarning)
        kernels.hold_([torch.zeros(1)], [torch.zeros(1, dtype=torch.bool)])
        yield


def select(
    scores: list[Tensor], masks: list[Tensor], count: int, *, absolute: bool, threads: int = 1
) -> list[list[bool]]:
    cleared = [mask.clone() for mask in masks]
    names = [f"layer{i}" for i in range(len(scores))]
    kernels.select_lowest(scores, cleared, count, absolute=absolute, names=names, threads=threads)
    return [mask.tolist() for mask in cleared]


def sorted_out(
    scores: list[Tensor], masks: list[Tensor], count: int, *, absolute: bool
) -> list[list[bool]]:
    """The rule, literally: sort the kept positions by score, then tensor, then index."""
    kept = [
        (abs(score) if absolute else score, tensor, index)
        for tensor, (row, mask) in enumerate(zip(scores, masks, strict=True))
        for index, score in enumerate(row.flatten().tolist())
        if mask.flatten()[index]
    ]
    expected = [mask.clone() for mask in masks]
    for _, tensor, index in sorted(kept)[:count]:
        expected[tensor].view(-1)[index] = False
    return [mask.tolist() for mask in expected]


def test_the_lowest_magnitudes_of_all_layers_go() -> None:
    scores = [torch.tensor([3.0, -0.1, 2.0]), torch.tensor([[0.5, -4.0], [0.2, 1.0]])]
    masks = [torch.ones(3, dtype=torch.bool), torch.ones(2, 2, dtype=torch.bool)]

    assert select(scores, masks, 3, absolute=True) == [
        [True, False, True],
        [[False, True], [False, True]],
    ]


def test_without_absolute_the_most_negative_go() -> None:
    scores = [torch.tensor([3.0, -0.1, -2.0, 0.0])]
    masks = [torch.tensor([True, True, True, True])]

    assert select(scores, masks, 2, absolute=False) == [[True, False, False, True]]


def test_of_equal_scores_the_earlier_go() -> None:
    scores = [torch.zeros(3), -torch.zeros(3)]
    masks = [torch.tensor([True, False, True]), torch.ones(3, dtype=torch.bool)]

    assert select(scores, masks, 3, absolute=False) == [[False, False, False], [False, True, True]]


def test_a_nan_at_a_pruned_position_plays_no_part() -> None:
    scores = [torch.tensor([float("nan"), 2.0, 1.0])]

    assert select(scores, [torch.tensor([False, True, True])], 1, absolute=True) == [
        [False, True, False]
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [0, 2])
def test_a_nan_at_a_kept_position_is_an_error_that_changes_nothing(
    dtype: torch.dtype, count: int
) -> None:
    scores = [torch.ones(2, dtype=dtype), torch.tensor([1.0, float("nan")], dtype=dtype)]
    masks = [torch.ones(2, dtype=torch.bool), torch.ones(2, dtype=torch.bool)]

    with pytest.raises(TicketError, match=r"'second' contain NaN at kept positions"):
        kernels.select_lowest(scores, masks, count, absolute=True, names=["first", "second"])
    assert all(bool(mask.all()) for mask in masks)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_more_than_is_kept_cannot_go(dtype: torch.dtype) -> None:
    masks = [torch.tensor([True, False, True])]

    with pytest.raises(TicketError, match="cannot clear 3 positions: the masks keep only 2"):
        kernels.select_lowest([torch.ones(3, dtype=dtype)], masks, 3, absolute=True, names=["w"])
    assert masks[0].tolist() == [True, False, True]


def test_nothing_can_go_from_nothing() -> None:
    kernels.select_lowest([], [], 0, absolute=True, names=[])

    with pytest.raises(TicketError, match="keep only 0"):
        kernels.select_lowest([], [], 1, absolute=True, names=[])


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (torch.ones(3, dtype=torch.bool), r"mask of 'w' is \(3,\) torch.bool; it must be \(2,\)"),
        (torch.ones(2), r"mask of 'w' is \(2,\) torch.float32; it must be \(2,\) torch.bool"),
    ],
)
def test_a_mask_that_does_not_fit_is_named(mask: Tensor, reason: str) -> None:
    with pytest.raises(TicketError, match=reason):
        kernels.select_lowest([torch.ones(2)], [mask], 1, absolute=True, names=["w"])


def test_a_negative_count_and_uneven_lists_are_refused() -> None:
    mask = torch.ones(2, dtype=torch.bool)

    with pytest.raises(TicketError, match="cannot clear -1 positions"):
        kernels.select_lowest([torch.ones(2)], [mask], -1, absolute=True, names=["w"])
    with pytest.raises(TicketError, match="1 scores, 1 masks, 0 names"):
        kernels.select_lowest([torch.ones(2)], [mask], 1, absolute=True, names=[])
    with pytest.raises(TicketError, match="1 tensors, 2 masks"):
        kernels.hold_([torch.ones(2)], [mask, mask])


@settings(deadline=None)
@given(rows=scores_lists, data=st.data(), absolute=st.booleans())
def test_any_selection_equals_a_full_sort(
    rows: list[list[float]], data: st.DataObject, absolute: bool
) -> None:
    scores = [torch.tensor(row, dtype=torch.float32) for row in rows]
    masks = [
        torch.tensor(
            data.draw(st.lists(st.booleans(), min_size=len(row), max_size=len(row))),
            dtype=torch.bool,
        )
        for row in rows
    ]
    kept = sum(int(mask.sum()) for mask in masks)
    count = data.draw(st.integers(0, kept))
    expected = sorted_out(scores, masks, count, absolute=absolute)
    in_torch = [mask.clone() for mask in masks]
    _torch_kernels.select_lowest(scores, in_torch, count, absolute=absolute)

    assert select(scores, masks, count, absolute=absolute) == expected
    assert [mask.tolist() for mask in in_torch] == expected
    doubles = [score.double() for score in scores]
    assert select(doubles, masks, count, absolute=absolute) == expected


@given(
    size=st.sampled_from([1 << 20, 2_300_001]),
    distinct=st.sampled_from([1, 3, 50_000, 1 << 24]),
    density=st.sampled_from([0.03, 0.9, 1.0]),
    share=st.floats(0.0, 1.0),
    absolute=st.booleans(),
    threads=st.integers(1, 3),
    seed=st.integers(0, 9),
)
@settings(max_examples=30, deadline=None)
@pytest.mark.slow
def test_any_large_selection_equals_a_full_sort(
    size: int, distinct: int, density: float, share: float, absolute: bool, threads: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    row = torch.randint(distinct, (size,), generator=generator).float() - distinct // 2
    mask = torch.rand(size, generator=generator) < density
    count = int(share * int(mask.sum()))
    cut = size // 3
    scores, masks = [row[:cut], row[cut:]], [mask[:cut].clone(), mask[cut:].clone()]
    kernels.select_lowest(
        scores, masks, count, absolute=absolute, names=["a", "b"], threads=threads
    )

    ranked = (row.abs() if absolute else row).numpy()
    positions = np.flatnonzero(mask.numpy())
    gone = positions[np.argsort(ranked[positions], kind="stable")[:count]]
    expected = mask.clone()
    expected[torch.from_numpy(gone)] = False
    assert torch.equal(torch.cat(masks), expected)


@pytest.mark.slow
def test_more_than_two_to_the_31_ties_are_counted_right() -> None:
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if not kernels.describe().compiled or free < 5 << 30:
        pytest.skip("needs the compiled kernels and 5 GiB")
    scores = torch.zeros(1 << 20)  # one tensor, listed again and again, with a mask each
    masks = [torch.ones(scores.shape, dtype=torch.bool) for _ in range(2050)]
    names = ["w"] * len(masks)
    kernels.select_lowest(
        [scores] * len(masks), masks, 2**31 + 5, absolute=True, names=names, threads=2
    )

    assert not any(bool(mask.any()) for mask in masks[:2048])
    assert masks[2048][:7].tolist() == [False] * 5 + [True] * 2
    assert bool(masks[2048][7:].all())
    assert bool(masks[2049].all())


@pytest.mark.parametrize(
    "scores",
    [
        torch.arange(12.0).reshape(3, 4).t(),
        torch.arange(12.0).reshape(4, 3).bfloat16(),
        torch.arange(12.0).reshape(4, 3).half(),
    ],
    ids=["transposed", "bfloat16", "float16"],
)
def test_other_layouts_and_dtypes_follow_the_same_rule(scores: Tensor) -> None:
    masks = [torch.ones(4, 3, dtype=torch.bool)]

    assert select([scores], masks, 5, absolute=True) == sorted_out(
        [scores.contiguous()], masks, 5, absolute=True
    )


def test_scores_that_require_grad_are_left_as_they_are() -> None:
    weight = torch.tensor([2.0, -1.0], requires_grad=True)

    assert select([weight], [torch.ones(2, dtype=torch.bool)], 1, absolute=True) == [[True, False]]
    assert weight.tolist() == [2.0, -1.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_held_positions_become_positive_zero_whatever_was_there(dtype: torch.dtype) -> None:
    values = torch.tensor([1.0, float("nan"), float("-inf"), -2.0, -0.0], dtype=dtype)
    mask = torch.tensor([True, False, False, False, True])
    kernels.hold_([values], [mask])

    assert values.tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert values.signbit().tolist() == [False, False, False, False, True]


@settings(deadline=None)
@given(rows=scores_lists, seed=st.integers(0, 99))
def test_holding_is_the_same_compiled_and_in_torch(rows: list[list[float]], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    tensors = [torch.tensor(row, dtype=torch.float32) for row in rows] * 2
    masks = [torch.rand(tensor.shape, generator=generator) < 0.5 for tensor in tensors]
    in_torch = [tensor.clone() for tensor in tensors]
    compiled = [tensor.clone() for tensor in tensors]
    _torch_kernels.hold_(in_torch, masks)
    kernels.hold_(compiled, masks)

    for a, b in zip(compiled, in_torch, strict=True):
        assert torch.equal(a.view(torch.int32), b.view(torch.int32))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_holding_a_weight_that_autograd_saved_is_noticed(dtype: torch.dtype) -> None:
    weight = torch.ones(3, dtype=dtype, requires_grad=True)
    loss = (weight * weight).sum()
    kernels.hold_([weight], [torch.tensor([True, False, True])])

    assert weight.requires_grad
    assert weight.is_leaf
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()  # type: ignore[no-untyped-call]


def test_the_operators_keep_the_promises_that_torch_compile_relies_on() -> None:
    if not kernels.describe().compiled:
        pytest.skip("no compiled kernels")
    mask = torch.tensor([True, False, True])
    packed = torch.tensor([5], dtype=torch.uint8)

    torch.library.opcheck(torch.ops.ticket.pack_bits.default, (mask,))
    torch.library.opcheck(torch.ops.ticket.unpack_bits.default, (packed, 3))
