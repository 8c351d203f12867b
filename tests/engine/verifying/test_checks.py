"""The checks one by one, on masks and numbers small enough to see through."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ticket import kernels, ticket_file
from ticket.errors import TicketError
from ticket.ladder import Layer, Rung
from ticket.phases import Cut, Mark, Phase, Rewind, Train
from ticket.recipe import Recipe
from ticket.steps import Steps
from ticket.uses import Use
from ticket.verifying.counts import recorded_counts, rung_counts, target_count
from ticket.verifying.nesting import nested
from ticket.verifying.results import judged
from ticket.verifying.starts import Start, start_after
from ticket.verifying.stored import Stored, not_zero, read_stored
from ticket.verifying.survivors import differing
from ticket.verifying.zeros import moments_zero, zeros_in


def stored(masks: Mapping[str, list[int]], **state: list[float]) -> Stored:
    """Return a file of flat parameters; what has no mask is a buffer."""
    bits = {name: torch.tensor(mask, dtype=torch.bool) for name, mask in masks.items()}
    tensors = {name: torch.ones(len(mask)) * mask for name, mask in bits.items()}
    tensors |= {name: torch.tensor(values) for name, values in state.items()}
    kept = {name: int(mask.sum()) for name, mask in bits.items()}
    return Stored(Path("t"), {"prunable": list(masks), "kept": kept}, bits, tensors)


def test_a_mask_inside_the_one_before_is_nested() -> None:
    assert nested(stored({"a": [1, 1, 0]}), stored({"a": [0, 1, 0]}), "").state == "held"
    back = nested(stored({"a": [1, 0, 0]}), stored({"a": [0, 1, 1]}), "")
    assert (back.state, back.text) == ("failed", "2 weights of 'a' are back")


def test_a_mask_that_is_gone_has_brought_back_what_it_cut() -> None:
    dense = Stored(Path("t"), {"prunable": ["a"]}, {}, {"a": torch.ones(3)})
    assert nested(stored({"a": [1, 0, 0]}), dense, "").text == "2 weights of 'a' are back"


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ({"layers": {"a": 2, "b": 1}, "kept": 3, "prunable": 5}, ""),
        ({"layers": {"a": 1, "b": 1}, "kept": 3, "prunable": 5}, "'a' keeps 2, the figures say 1"),
        ({"layers": {"a": 2, "b": 1}, "kept": 4, "prunable": 5}, "kept 4, there are 3"),
        ({"layers": {"a": 2, "b": 1}, "kept": 3, "prunable": 6}, "prunable 6, there are 5"),
        ({"layers": {"a": 2}, "kept": 3, "prunable": 5}, "'b' keeps 1, the figures say all"),
    ],
)
def test_counts_are_held_against_what_was_written_down(figures: Any, text: str) -> None:
    result = recorded_counts(stored({"a": [1, 1, 0], "b": [0, 1]}), figures, "")
    assert (result.state == "held") == (text == "")
    assert text in result.text


@pytest.mark.parametrize(
    ("scope", "masks", "wrong"),
    [
        ("layer", {"a": [1, 1, 0, 0], "b": [1, 0]}, ""),
        ("layer", {"a": [1, 1, 1, 0], "b": [0, 0]}, "'a': 3 kept, the recipe says 2"),
        ("global", {"a": [1, 1, 1, 0], "b": [0, 0]}, ""),
        ("global", {"a": [1, 1, 1, 1], "b": [0, 0]}, "'a', 'b': 4 kept, the recipe says 3"),
    ],
)
def test_every_group_of_layers_keeps_what_the_recipe_says(
    scope: str, masks: dict[str, list[int]], wrong: str
) -> None:
    half = Fraction(1, 2)
    layers = [Layer("a", (4,), 4, half), Layer("b", (2,), 2, half)]
    rung = Rung(1, 3, {"a": Fraction(2), "b": Fraction(1)})
    recipe = Recipe("r", scope=Use("scopes", scope))
    result = rung_counts(recipe, layers, rung, {"a": 4, "b": 2}, stored(masks), "")
    assert (result.state == "held") == (wrong == "")
    assert wrong in result.text


def test_a_layer_that_the_recipe_excludes_is_dense() -> None:
    layers = [
        Layer("a", (2,), 2, Fraction(1, 2)),
        Layer("b", (2,), 2, Fraction(1, 2), excluded=True),
    ]
    rung = Rung(1, 1, {"a": Fraction(1)})
    found = stored({"a": [1, 0], "b": [1, 0]})
    result = rung_counts(Recipe("r"), layers, rung, {"a": 2}, found, "")
    assert result.text == "'b' is excluded and keeps 1 of 2"


@given(st.integers(1, 200), st.integers(1, 99))
def test_the_sparsity_is_met_to_the_weight(size: int, percent: int) -> None:
    """What is kept is the nearest integer, a half rounded up, in integers alone."""
    kept = (2 * size * (100 - percent) + 100) // 200
    mask = [1] * kept + [0] * (size - kept)
    recipe = Recipe("r", sparsity=percent / 100)
    assert target_count(recipe, stored({"a": mask}), "").state == "held"
    more = [1] * (kept + 1) + [0] * (size - kept - 1)
    if kept < size:
        assert target_count(recipe, stored({"a": more}), "").state == "failed"


def test_minus_zero_is_not_plus_zero() -> None:
    mask = torch.tensor([True, False, False, False])
    assert not_zero(torch.tensor([5.0, 0.0, -0.0, 1e-45]), mask) == 2


@pytest.mark.parametrize(
    ("phases", "start"),
    [
        ([], Start("opened")),
        ([Mark(), Cut()], Start("opened")),
        ([Train(), Mark(), Cut()], Start("trained", 0)),
        ([Train(), Mark(), Train(), Cut()], Start("trained", 2)),
        ([Train(), Cut(), Rewind()], Start("step", 0)),
        (
            [Train(), Cut(), Rewind(Steps(5, "it"), "weights", "rewound")],
            Start("step", 0, Steps(5, "it"), Steps(5, "it"), "rewound"),
        ),
        (
            [Train(), Cut(), Rewind(Steps(5, "it"), "rate")],
            Start("trained", 0, Steps(0, "it"), Steps(5, "it")),
        ),
        ([Train(), Cut(), Rewind(restore="fresh")], Start("fresh", 0)),
        ([Train(), Cut(), Rewind(), Train({"lr": 0.1})], Start("trained", 3)),
    ],
)
def test_the_phases_of_a_round_say_where_the_next_one_starts(
    phases: list[Phase], start: Start
) -> None:
    assert start_after(phases) == start


def test_survivors_and_buffers_are_compared_bit_by_bit() -> None:
    after = stored({"a": [1, 0]}, mean=[1.0, -0.0])
    source = {"a": torch.tensor([1.0, 7.0]), "mean": torch.tensor([1.0, -0.0])}
    assert differing(after, source) == []
    zero = {**source, "mean": torch.tensor([1.0, 0.0])}
    assert differing(after, zero) == ["the signs of zeros of 'mean' differ"]
    other = {**source, "a": torch.tensor([1.5, 0.0])}
    assert differing(after, other) == ["1 of 1 entries of 'a' differ"]


def test_moments_of_masked_weights_are_zero() -> None:
    masks = {"a": torch.tensor([True, False])}
    good = {"a|momentum": torch.tensor([3.0, 0.0]), "b|momentum": torch.tensor([3.0, 3.0])}
    assert moments_zero(good, masks, "").state == "held"
    wrong = moments_zero({"a|momentum": torch.tensor([0.0, 3.0])}, masks, "")
    assert "'a|momentum' has 1 masked entries" in wrong.text


def checkpoint(path: Path, moment: float, weight: float, best: float) -> None:
    """Write the checkpoint of an unfinished run, one of whose weights is masked."""
    tensors = {
        "mask.weight": torch.tensor([[True, False]]),
        "model.weight": torch.tensor([[1.0, weight]]),
        "best.weight": torch.tensor([[1.0, best]]),
        "moment.weight|momentum": torch.tensor([[1.0, moment]]),
        "rewound.weight|momentum": torch.tensor([[1.0, 1.0]]),  # held once the training begins
    }
    path.write_bytes(ticket_file.encode({"point": {"step": 3}}, tensors))


@pytest.mark.parametrize("place", [None, 0, 1, 2])
def test_a_checkpoint_holds_zeros_where_weights_are_masked(
    tmp_path: Path, place: int | None
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    values = [0.5 if number == place else 0.0 for number in range(3)]
    checkpoint(path, *values)
    (result,) = zeros_in(tmp_path, path, ())
    assert result.state == ("held" if place is None else "failed")


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_masks_are_unpacked_as_the_kernels_pack_them(
    tmp_path_factory: pytest.TempPathFactory, bits: list[bool]
) -> None:
    mask = torch.tensor(bits)
    path = tmp_path_factory.mktemp("stored") / "t.safetensors"
    tensors = {"mask.a": kernels.pack_bits(mask), "state.a": torch.zeros(len(bits))}
    path.write_bytes(ticket_file.encode({"prunable": ["a"]}, tensors))
    assert torch.equal(read_stored(path).masks["a"], mask)


def fails_to_read(tmp_path: Path, record: dict[str, object], **tensors: Tensor) -> str:
    path = tmp_path / "t.safetensors"
    named = {name.replace("_", ".", 1): tensor for name, tensor in tensors.items()}
    path.write_bytes(ticket_file.encode(record, named))
    with pytest.raises(TicketError) as caught:
        read_stored(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (torch.tensor([255], dtype=torch.uint8), "bits set past its end"),
        (torch.tensor([7, 0], dtype=torch.uint8), "does not fit"),
        (torch.tensor([7.0]), "does not fit"),
    ],
)
def test_a_mask_that_is_none_is_told(tmp_path: Path, mask: Tensor, text: str) -> None:
    record: dict[str, object] = {"prunable": ["a"]}
    assert text in fails_to_read(tmp_path, record, state_a=torch.zeros(3), mask_a=mask)


def test_a_mask_for_what_is_not_prunable_is_told(tmp_path: Path) -> None:
    bits = torch.tensor([7], dtype=torch.uint8)
    parts = {"state_a": torch.zeros(3), "state_b": torch.zeros(3), "mask_b": bits}
    assert "'b', which is not prunable" in fails_to_read(tmp_path, {"prunable": ["a"]}, **parts)


def test_many_faults_are_told_by_the_first_three() -> None:
    text = judged("zeros", "", ["one", "two", "three", "four", "five"]).text
    assert text == "one; two; three; and 2 more"
