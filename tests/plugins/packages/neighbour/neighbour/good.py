"""A criterion that works."""

from __future__ import annotations

import torch

from ticket.scoring import Scores, Survey
from ticket.values import NotNegative


def noisy(survey: Survey, *, noise: NotNegative = 0.1) -> Scores:
    """Score by |w| + noise * u, with u uniform in [0, 1)."""
    return Scores(
        {
            name: weight.abs() + noise * torch.rand(weight.shape, generator=survey.generator)
            for name, weight in survey.weights.items()
        }
    )
