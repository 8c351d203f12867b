"""Loss and accuracy of a network on a set, in evaluation mode."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from ticket.batches import Examples

BATCH = 1000  # large enough for full speed, small enough to stay in cache with its activations


@dataclass(frozen=True)
class Score:
    """Hold the mean cross-entropy (nats) and the share of right answers in [0, 1]."""

    loss: float
    accuracy: float


@torch.no_grad()
def evaluate(model: nn.Module, examples: Examples) -> Score:
    """Evaluate the network on all examples; the mode it was in is restored."""
    was_training = model.training
    model.eval()
    loss = torch.zeros((), dtype=torch.float64, device=examples.labels.device)
    right = torch.zeros((), dtype=torch.int64, device=examples.labels.device)
    for start in range(0, len(examples), BATCH):
        labels = examples.labels[start : start + BATCH]
        logits = model(examples.normalised(examples.images[start : start + BATCH])).float()
        loss += functional.cross_entropy(logits, labels, reduction="sum")
        right += (logits.argmax(1) == labels).sum()
    model.train(was_training)
    return Score(float(loss) / len(examples), float(right) / len(examples))
