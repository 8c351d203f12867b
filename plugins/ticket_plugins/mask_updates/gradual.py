"""Gradual magnitude pruning: a mask update that removes weights while the network trains."""

from __future__ import annotations

from fractions import Fraction

import torch

from ticket.errors import UsageError
from ticket.ladder import half_up
from ticket.mask_updates import Change, Scene
from ticket.scoring import Scores
from ticket.steps import Steps


def gmp(scene: Scene, *, begin: Steps = Steps(0, "it")) -> Change | None:
    """Remove the smallest weights along a cubic: fast at first, slowly at the end.

    Zhu & Gupta 2017 (arXiv 1710.01878), section 3: the sparsity rises from what it is at `begin` to
    the recipe's at the last update, s_t = s_f + (s_i - s_f) (1 - (t - t_0) / (n dt))^3. What is cut
    does not come back. Raises UsageError when no update comes after `begin`.
    """
    first, step = max(scene.start, scene.clock.at(begin)), scene.clock.step
    if first >= scene.last:
        raise UsageError(
            f"gmp begins at iteration {first}, and the last mask update is at {scene.last}: begin "
            "earlier, or change masks more often (mask_every)"
        )
    if step < first:
        return None
    now = sum(int(mask.count_nonzero()) for mask in scene.masks.values())
    start = int(scene.memory.setdefault("kept at first", torch.tensor(now)))
    # In whole numbers, so that the count does not depend on how a machine rounds.
    left, whole = scene.last - step, scene.last - first
    kept = scene.target + half_up((start - scene.target) * Fraction(left, whole) ** 3)
    return Change(scene.narrow(Scores(scene.weights, absolute=True), min(kept, now)))
