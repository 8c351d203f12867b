"""RigL, SET and GMP move what a few lines of plain torch or numpy move, at exact counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor

from ticket.errors import TicketError, UsageError
from ticket.ladder import Layer, Rung
from ticket.mask_updates import Change, Scene
from ticket.registry import installed
from ticket.schedule import Clock
from ticket.scoring import Scores
from ticket.seeds import stream
from ticket.selection import Aim, narrowed
from ticket.uses import Use, bind, read_use

SHAPES = {"a": (8, 5), "b": (3, 4, 2, 2), "c": (4, 3)}
UPDATES = [plugin.name for plugin in installed("mask_updates")]
Masks = Mapping[str, Tensor]


def scene(
    step: int, *, masks: Masks | None = None, target: int = 30, memory: Any = None, **changes: Any
) -> Scene:
    """Return a scene of three layers at half density; updates every 10 of 75 steps, 100 in all."""
    g = torch.Generator().manual_seed(4)
    half = {name: torch.rand(shape, generator=g) < 0.5 for name, shape in SHAPES.items()}
    masks = half if masks is None else masks
    weights = {n: torch.randn(s, generator=g) * masks[n] for n, s in SHAPES.items()}
    gradients = {n: torch.randn(s, generator=g) for n, s in SHAPES.items()}
    layers = [Layer(n, s, math.prod(s), Fraction(1, 5)) for n, s in SHAPES.items()]
    ideal = {x.name: Fraction(x.size * target, 100) for x in layers}
    aim = Aim(layers, Rung(1.0, target, ideal), Use("scopes", "global"))
    fields: dict[str, Any] = {
        "start": 0, "last": 70, "end": 75, "generator": stream(0, "updates", step)
    }  # fmt: skip
    fields |= changes
    kept: Masks = masks
    return Scene(
        weights,
        gradients,
        masks,
        Clock(step, 100, 20),
        target=target,
        narrow=lambda scores, count: narrowed(scores, kept, aim, count),
        memory={} if memory is None else memory,
        **fields,
    )


def updated(name: str, shown: Scene, **options: object) -> Change | None:
    change: Change | None = bind(read_use("mask_updates", {"name": name, **options}))(shown)
    return change


def masks_of(change: Change | None) -> Masks:
    assert change is not None
    return change.masks


def counts(masks: Masks) -> dict[str, int]:
    return {name: int(mask.count_nonzero()) for name, mask in masks.items()}


def test_the_updates_of_the_project_are_installed() -> None:
    assert {"rigl", "set", "gmp"} <= set(UPDATES)


@pytest.mark.parametrize("name", UPDATES)
def test_every_update_changes_nothing_that_it_is_shown_and_repeats_itself(name: str) -> None:
    shown, again = scene(10), scene(10)
    one, other = updated(name, shown), updated(name, again)
    assert all(torch.equal(masks_of(one)[n], masks_of(other)[n]) for n in SHAPES)
    fresh = scene(10)
    for part in ("weights", "gradients", "masks"):
        before, after = getattr(fresh, part), getattr(shown, part)
        assert all(torch.equal(before[n], after[n]) for n in SHAPES)


def top_k(shown: Scene, share: float) -> dict[str, Tensor]:
    """Follow algorithm 1 of RigL: keep the k - n largest |w|, grow the n largest |g| elsewhere."""
    masks = {}
    for name, mask in shown.masks.items():
        k = int(mask.count_nonzero())
        n = int(share * k)
        size = torch.where(mask, shown.weights[name].abs(), -1.0).flatten()
        new = torch.zeros_like(size, dtype=torch.bool)
        new[size.topk(k - n).indices] = True
        slope = torch.where(new, -1.0, shown.gradients[name].abs().flatten())
        new[slope.topk(n).indices] = True
        masks[name] = new.view_as(mask)
    return masks


@pytest.mark.parametrize("step", [0, 10, 30, 70])
def test_rigl_is_top_k_by_weight_then_top_k_by_gradient(step: int) -> None:
    shown = scene(step)
    change = updated("rigl", shown)
    assert change is not None
    assert not change.step
    expected = top_k(shown, 0.3 / 2 * (1 + math.cos(math.pi * step / 75)))
    assert all(torch.equal(change.masks[name], expected[name]) for name in SHAPES)
    assert counts(change.masks) == counts(shown.masks)
    moved = any(not torch.equal(change.masks[name], shown.masks[name]) for name in SHAPES)
    assert moved == (step < 70)  # at 70 of 75 the share is 0.3 %


def test_rigls_options_are_those_of_itop() -> None:
    assert updated("rigl", scene(0), at_start=False) is None
    assert updated("rigl", scene(20, start=20), at_start=False) is None
    change = updated("rigl", scene(10), skip_step=False)
    assert change is not None
    assert change.step
    late = scene(70)
    share = 0.5 + 0.4 / 2 * (1 + math.cos(math.pi * 70 / 75))
    found, expected = masks_of(updated("rigl", late, drop=0.9, drop_end=0.5)), top_k(late, share)
    assert all(torch.equal(found[name], expected[name]) for name in SHAPES)


def test_a_dense_layer_stays_dense() -> None:
    dense = {name: torch.ones(shape, dtype=torch.bool) for name, shape in SHAPES.items()}
    for name in ("rigl", "set"):
        assert all(mask.all() for mask in masks_of(updated(name, scene(10, masks=dense))).values())


def test_set_takes_the_weakest_of_each_sign_and_grows_as_many_by_chance() -> None:
    shown = scene(10)
    shown.weights["a"][tuple(shown.masks["a"].nonzero()[0])] = 0.0  # what never moved goes first
    after = masks_of(updated("set", shown, drop=0.3))
    for name, mask in shown.masks.items():
        weight = shown.weights[name]
        left = torch.zeros_like(mask)
        for side in (mask & (weight > 0), mask & (weight < 0)):
            count = int(side.count_nonzero())
            keep = count - int(0.3 * count)
            size = torch.where(side, weight.abs(), -1.0).flatten()
            left.view(-1)[size.topk(keep).indices] = True
        assert (after[name] & left).equal(left)
        assert counts(after)[name] == counts(shown.masks)[name]
    other = scene(10, generator=stream(1, "another"))
    other.weights["a"][tuple(other.masks["a"].nonzero()[0])] = 0.0
    elsewhere = masks_of(updated("set", other, drop=0.3))
    assert any(not torch.equal(after[name], elsewhere[name]) for name in SHAPES)


def test_set_by_magnitude_with_a_falling_share_is_itops() -> None:
    shown = scene(30)
    after = masks_of(updated("set", shown, drop=0.5, drop_end=0.005, by="magnitude"))
    share = 0.005 + 0.495 / 2 * (1 + math.cos(math.pi * 30 / 75))
    for name, mask in shown.masks.items():
        k = int(mask.count_nonzero())
        size = torch.where(mask, shown.weights[name].abs(), -1.0).flatten()
        stays = size.topk(k - int(share * k)).indices
        assert after[name].flatten()[stays].all()
        assert int(after[name].count_nonzero()) == k
    assert updated("set", scene(0)) is None


def test_gmp_follows_the_cubic_and_ends_exactly() -> None:
    """s_t = s_f + (s_i - s_f) (1 - (t - t_0) / (n dt))^3, Zhu & Gupta 2017, with s_i = 0 here."""
    masks: Masks = {name: torch.ones(shape, dtype=torch.bool) for name, shape in SHAPES.items()}
    memory: dict[str, Tensor] = {}
    kept = []
    for step in range(0, 80, 10):
        change = updated("gmp", scene(step, masks=masks, memory=memory), begin="20it")
        masks = masks if change is None else change.masks
        kept.append(sum(counts(masks).values()))
    sparsity = [0.7 + (0 - 0.7) * (1 - max(0, t - 20) / 50) ** 3 for t in range(0, 80, 10)]
    assert kept == [math.floor(100 * (1 - s) + 0.5) for s in sparsity]
    assert kept[:3] == [100, 100, 100]
    assert kept[-1] == 30


def test_gmp_takes_the_smallest_weights() -> None:
    shown = scene(70, memory={"kept at first": torch.tensor(50)})
    after = masks_of(updated("gmp", shown))
    sizes = torch.cat([shown.weights[n].abs().flatten() for n in SHAPES])
    left = torch.cat([after[n].flatten() for n in SHAPES])
    assert torch.equal(left.nonzero().flatten(), sizes.topk(30).indices.sort().values)


def test_gmp_refuses_to_begin_after_the_last_update() -> None:
    with pytest.raises(
        UsageError, match=r"gmp begins at iteration 70, .* last mask update is at 70"
    ):
        updated("gmp", scene(0), begin="70it")


def test_a_gradient_that_is_no_number_is_refused_by_name() -> None:
    shown = scene(10)
    shown.gradients["b"].fill_(math.nan)
    with pytest.raises(TicketError, match="'b' contain NaN"):
        updated("rigl", shown)


def test_scores_of_other_kinds_are_possible() -> None:
    """An update may narrow by any scores: here by chance."""
    shown = scene(10)
    scores = Scores({n: torch.rand(s, generator=shown.generator) for n, s in SHAPES.items()})
    assert sum(counts(shown.narrow(scores, 31)).values()) == 31
