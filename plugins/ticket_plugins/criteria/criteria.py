"""Criteria that look at the weights alone."""

from __future__ import annotations

import torch

from ticket.scoring import Scores, Survey


def magnitude(survey: Survey) -> Scores:
    """Score by |w| (Han et al. 2015); the selection takes the absolute value, so nothing is copied."""
    return Scores(survey.weights, absolute=True)


def random(survey: Survey) -> Scores:
    """Score by chance: uniform numbers of the round's own stream, layer after layer."""
    return Scores(
        {
            name: torch.rand(weight.shape, generator=survey.generator).to(weight.device)
            for name, weight in survey.weights.items()
        }
    )
