"""A criterion scores every weight with a finite number, and the same seed gives the same scores."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ticket.masks import prunable
from ticket.registry import installed
from ticket.scoring import Scores, Survey
from ticket.uses import bind, read_use

Score = Callable[..., Scores]
CRITERIA = [plugin.name for plugin in installed("criteria")]


@pytest.fixture
def scored(survey_of: Callable[..., Survey]) -> Callable[..., Scores]:
    def score(criterion: str, model: nn.Module, seed: int = 0) -> Scores:
        scores: Scores = bind(read_use("criteria", criterion))(survey_of(model, seed=seed))
        return scores

    return score


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_weight_gets_a_finite_score_and_no_weight_changes(
    criterion: str, mlp: nn.Module, scored: Score
) -> None:
    before = {name: weight.detach().clone() for name, weight in prunable(mlp).items()}
    scores = scored(criterion, mlp)
    assert scores.values.keys() == before.keys()
    for name, weight in prunable(mlp).items():
        assert scores.values[name].shape == weight.shape
        assert scores.values[name].is_floating_point()
        assert scores.values[name].isfinite().all()
        assert torch.equal(weight, before[name])


@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_same_seed_gives_the_same_scores(criterion: str, mlp: nn.Module, scored: Score) -> None:
    one, other = scored(criterion, mlp), scored(criterion, mlp)
    assert all(torch.equal(one.values[name], other.values[name]) for name in one.values)


def test_magnitude_is_the_absolute_value_without_a_copy(mlp: nn.Module, scored: Score) -> None:
    scores = scored("magnitude", mlp)
    assert scores.absolute
    for name, weight in prunable(mlp).items():
        assert scores.values[name].data_ptr() == weight.data_ptr()


def test_random_goes_by_the_seed_alone(mlp: nn.Module, scored: Score) -> None:
    def drawn(seed: int) -> Tensor:
        return scored("random", mlp, seed).values["1.weight"]

    first = drawn(0)
    nn.init.zeros_(prunable(mlp)["1.weight"])
    assert torch.equal(drawn(0), first)
    assert not torch.equal(drawn(1), first)
    assert 0.3 < float(first.mean()) < 0.7
