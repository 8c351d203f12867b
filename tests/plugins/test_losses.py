"""Losses against their formulas, gradients included."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ticket.losses import wants_teacher
from ticket.uses import read_use
from ticket_plugins.losses.losses import cross_entropy, distillation

ROWS = st.lists(st.lists(st.floats(-6, 6), min_size=3, max_size=3), min_size=1, max_size=4)


def test_the_divergence_is_that_of_the_softened_outputs_times_the_square_of_the_temperature() -> (
    None
):
    student, teacher = (
        torch.tensor([[1.0, 0.0], [0.0, 2.0]]),
        torch.tensor([[2.0, 0.0], [0.0, 0.0]]),
    )
    expected = 0.0
    for z, w in ((1.0, 2.0), (-2.0, 0.0)):  # the differences of the two logits, at temperature 2
        q, p = 1 / (1 + math.exp(-z / 2)), 1 / (1 + math.exp(-w / 2))
        expected += p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    found = distillation(student, torch.tensor([0, 1]), teacher, temperature=2.0)
    assert float(found) == pytest.approx(4 * expected / 2)  # a batch of two


@given(ROWS, st.floats(0.5, 10), st.floats(0, 1))
def test_the_gradient_of_distillation_is_the_closed_form(
    rows: list[list[float]], temperature: float, mixture: float
) -> None:
    """d/dz = ((1 - a) (softmax(z) - onehot) + a T (softmax(z/T) - softmax(w/T))) / N."""
    logits = torch.tensor(rows, dtype=torch.float64, requires_grad=True)
    teacher = torch.tensor(rows, dtype=torch.float64).flip(1) * 0.7
    labels = torch.arange(len(rows)) % 3
    distillation(logits, labels, teacher, temperature=temperature, mixture=mixture).backward()  # type: ignore[no-untyped-call]
    hard = logits.softmax(1) - torch.nn.functional.one_hot(labels, 3)
    soft = (logits / temperature).softmax(1) - (teacher / temperature).softmax(1)
    expected = ((1 - mixture) * hard + mixture * temperature * soft) / len(rows)
    assert logits.grad is not None
    assert torch.allclose(logits.grad, expected.detach(), atol=1e-9)


def test_a_student_that_says_what_the_teacher_says_has_no_loss() -> None:
    logits = torch.tensor([[3.0, -1.0, 0.5]])
    assert float(distillation(logits, torch.tensor([1]), logits)) == pytest.approx(0.0, abs=1e-6)


def test_no_share_of_soft_labels_is_the_cross_entropy() -> None:
    logits, labels = torch.tensor([[3.0, -1.0], [0.0, 1.0]]), torch.tensor([1, 1])
    soft = distillation(logits, labels, torch.zeros(2, 2), mixture=0.0)
    assert float(soft) == pytest.approx(float(cross_entropy(logits, labels)))


def test_smoothing_moves_a_share_of_the_label_to_all_classes() -> None:
    logits, labels = torch.tensor([[2.0, 0.0]]), torch.tensor([0])
    likely = -torch.tensor([[2.0, 0.0]]).log_softmax(1)[0]
    smooth = cross_entropy(logits, labels, label_smoothing=0.2)
    assert float(smooth) == pytest.approx(float(0.9 * likely[0] + 0.1 * likely[1]))


def test_the_signature_says_who_needs_a_teacher() -> None:
    assert wants_teacher(read_use("losses", "distillation"))
    assert not wants_teacher(read_use("losses", "cross_entropy"))


@pytest.mark.parametrize(
    ("option", "value"), [("temperature", 0), ("mixture", 1.5), ("mixture", -0.1)]
)
def test_options_out_of_range_are_refused(option: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"loss 'distillation': {option} wants a number"):
        read_use("losses", {"name": "distillation", option: value})
