"""Losses: hard labels, or the soft ones of a teacher."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor
from torch.nn import functional

from ticket.values import Between, Positive

Smoothing = Annotated[float, Between(0, 1, open_high=True)]
Mixture = Annotated[float, Between(0, 1)]


def cross_entropy(logits: Tensor, labels: Tensor, *, label_smoothing: Smoothing = 0.0) -> Tensor:
    """Return the mean cross-entropy in nats; logits `[N, classes]`, labels `[N]`."""
    return functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)


def distillation(
    logits: Tensor,
    labels: Tensor,
    teacher: Tensor,
    *,
    temperature: Positive = 4.0,
    mixture: Mixture = 1.0,
) -> Tensor:
    """Return (1 - a) CE(labels, z) + a T^2 KL(softmax(z'/T) || softmax(z/T)), z' the teacher's logits.

    a is the `mixture`, T the `temperature`. The divergence is summed over the classes and averaged over
    the batch; T^2 keeps its gradient in proportion to that of the hard labels (Hinton et al. 2015,
    section 2.1). a = 1, soft labels alone, is the KD ticket of Ma et al. 2021 (arXiv 2101.03255).
    """
    soft = functional.kl_div(
        (logits / temperature).log_softmax(1),
        (teacher / temperature).log_softmax(1),
        reduction="batchmean",
        log_target=True,
    )
    if mixture == 1.0:
        return soft * temperature**2
    hard = functional.cross_entropy(logits, labels)
    return (1.0 - mixture) * hard + mixture * temperature**2 * soft
