"""A training whose masks change is the plain loop of torch, and refuses changes that are not allowed."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ticket import live as living
from ticket.batches import batches, split
from ticket.dataset import DataSet
from ticket.errors import TicketError, UsageError
from ticket.job import Hooks, Job, Point
from ticket.ladder import Layer, Rung
from ticket.live import Live
from ticket.mask_updates import Change, changed
from ticket.masks import dense_masks, prunable
from ticket.selection import Aim
from ticket.training import Training, read_training
from ticket.training_loop import run
from ticket.uses import Use

CPU = torch.device("cpu")
QUIET = Hooks(lambda point, sync: None, lambda evaluated: None)
RIGL = {"name": "rigl", "drop": 0.5}
MOMENTUM = {"name": "sgd", "momentum": 0.9}


def training(**fields: object) -> Training:
    given = {"lr": 0.05, "batch_size": 16, "length": "20it", "eval_every": "5it", **fields}
    values, mistakes = read_training(given, "training")
    assert mistakes == []
    return Training(**values)


def half(model: nn.Module) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(5)
    return {n: torch.rand(w.shape, generator=g) < 0.5 for n, w in prunable(model).items()}


def aim(masks: dict[str, Tensor], kept: int | None = None) -> Aim:
    layers = [Layer(n, tuple(m.shape), m.numel(), Fraction(1, 5)) for n, m in masks.items()]
    found = sum(int(m.count_nonzero()) for m in masks.values()) if kept is None else kept
    total = sum(x.size for x in layers)
    ideal = {x.name: Fraction(x.size * found, total) for x in layers}
    return Aim(layers, Rung(1.0, found, ideal), Use("scopes", "uniform"))


def job(points: DataSet, masks: dict[str, Tensor], kept: int | None = None, **fields: Any) -> Job:
    start, moments = fields.pop("start", 0), fields.pop("moments", {})
    splits = split(points, 0, CPU)
    return Job(
        training(**fields), splits, 0, "t", masks, None, start, moments, aim(masks, kept)
    )  # fmt: skip


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("written", ["sgd", MOMENTUM, "adam"])
def test_rigl_in_training_equals_a_plain_loop_bit_for_bit(
    mlp: nn.Module, points: DataSet, written: object, skip: bool
) -> None:
    """Updates at 0, 5, 10 and 15: dropped weights and slots go to zero, grown ones start there."""
    masks, other = half(mlp), copy.deepcopy(mlp)
    weights = dict(other.named_parameters())
    here = {name: mask.clone() for name, mask in masks.items()}
    makers: dict[str, Callable[[], torch.optim.Optimizer]] = {
        "sgd": lambda: torch.optim.SGD(other.parameters(), 0.05, fused=True),
        "momentum": lambda: torch.optim.SGD(other.parameters(), 0.05, 0.9, fused=True),
        "adam": lambda: torch.optim.Adam(other.parameters(), 0.05, fused=True),
    }
    optimizer = makers[written if isinstance(written, str) else "momentum"]()

    def hold() -> None:
        for name, mask in here.items():
            slots = [v for v in optimizer.state[weights[name]].values() if v.shape == mask.shape]
            for value in (weights[name].data, *slots):
                value.masked_fill_(~mask, 0.0)

    hold()
    feed = batches(split(points, 0, CPU), 16, 0, "t", 0, True)
    other.train()
    for step in range(20):
        inputs, labels = next(feed)
        optimizer.zero_grad()
        functional.cross_entropy(other(inputs), labels).backward()  # type: ignore[no-untyped-call]
        if step % 5 == 0:
            for name, mask in here.items():
                grad = weights[name].grad
                assert grad is not None
                k = int(mask.count_nonzero())
                n = int(0.25 * (1 + math.cos(math.pi * step / 20)) * k)
                size = torch.where(mask, weights[name].data.abs(), -1.0).flatten()
                new = torch.zeros_like(size, dtype=torch.bool)
                new[size.topk(k - n).indices] = True
                slope = torch.where(new, -1.0, grad.abs().flatten())
                new[slope.topk(n).indices] = True
                here[name] = new.view_as(mask)
            hold()
        if step % 5 or not skip:
            for name, mask in here.items():
                grad = weights[name].grad
                assert grad is not None
                grad.masked_fill_(~mask, 0.0)
            optimizer.step()
            hold()
    update = {**RIGL, "skip_step": skip}
    point = run(
        mlp, job(points, masks, optimizer=written, mask_update=update, mask_every="5it"), QUIET
    )
    assert point.updates == 4
    assert all(torch.equal(point.masks[name], here[name]) for name in here)
    for (name, found), expected in zip(
        mlp.state_dict().items(), other.state_dict().values(), strict=True
    ):
        assert torch.equal(found, expected), name


@pytest.mark.parametrize("update", ["rigl", "set"])
def test_counts_stay_and_what_is_masked_is_zero_after_every_step(
    mlp: nn.Module, points: DataSet, update: str
) -> None:
    masks = half(mlp)
    counts = {name: int(mask.count_nonzero()) for name, mask in masks.items()}
    seen: list[dict[str, Tensor]] = []

    def after_step(point: Point, sync: Callable[[], None]) -> None:
        sync()
        for name, weight in prunable(mlp).items():
            mask = point.masks[name]
            assert int(mask.count_nonzero()) == counts[name]
            for value in (weight.detach(), point.moments.get(f"{name}|momentum_buffer")):
                if value is not None:
                    assert not value[~mask].any()
                    assert not value[~mask].signbit().any()
        seen.append(dict(point.masks))

    fields: dict[str, Any] = {"mask_update": update, "mask_every": "3it", "optimizer": MOMENTUM}
    point = run(mlp, job(points, masks, **fields), Hooks(after_step, lambda e: None))
    moved = [n for n in range(19) if not torch.equal(seen[n]["1.weight"], seen[n + 1]["1.weight"])]
    assert moved
    assert all((n + 1) % 3 == 0 for n in moved)  # step n + 1 is where the masks change
    for name, mask in masks.items():
        ever = torch.stack([mask, *(s[name] for s in seen)]).any(0)
        assert torch.equal(point.explored[name], ever)


def test_grown_weights_begin_at_zero_with_empty_slots(mlp: nn.Module, points: DataSet) -> None:
    masks, looked = half(mlp), 0
    before = {name: mask.clone() for name, mask in masks.items()}

    def after_step(point: Point, sync: Callable[[], None]) -> None:
        nonlocal looked, before
        sync()
        for name, weight in prunable(mlp).items():
            grown = point.masks[name] & ~before[name]
            slot = point.moments.get(f"{name}|momentum_buffer")
            if grown.any() and slot is not None:
                looked += 1  # the step of an update is left out: nothing has moved them yet
                assert not weight.detach()[grown].any()
                assert not slot[grown].any()
        before = dict(point.masks)

    fields: dict[str, Any] = {"mask_update": RIGL, "mask_every": "4it", "optimizer": MOMENTUM}
    run(mlp, job(points, masks, **fields), Hooks(after_step, lambda e: None))
    assert looked >= 4


def test_gmp_in_training_narrows_to_what_the_cut_keeps(mlp: nn.Module, points: DataSet) -> None:
    kept: dict[int, int] = {}

    def after_step(point: Point, sync: Callable[[], None]) -> None:
        kept[point.step] = sum(int(m.count_nonzero()) for m in point.masks.values())

    fields: dict[str, Any] = {"mask_update": "gmp", "mask_every": "2it", "until": "16it"}
    run(mlp, job(points, dense_masks(mlp), 32, **fields), Hooks(after_step, lambda e: None))
    for step, found in kept.items():
        last = (step - 1) // 2 * 2
        assert found == math.floor(32 + 128 * (1 - last / 14) ** 3 + 0.5)
    assert kept[16] == 32


@pytest.mark.parametrize("stop", [1, 4, 5, 6, 11])
@pytest.mark.parametrize("update", ["rigl", "set", "gmp"])
def test_a_training_that_is_saved_and_read_back_goes_on_bit_for_bit(
    mlp: nn.Module, points: DataSet, tmp_path: Path, update: str, stop: int
) -> None:
    fields: dict[str, Any] = {"mask_update": update, "mask_every": "5it", "optimizer": MOMENTUM}
    masks, kept = (dense_masks(mlp), 40) if update == "gmp" else (half(mlp), None)
    whole, again = copy.deepcopy(mlp), copy.deepcopy(mlp)
    expected = run(whole, job(points, masks, kept, **fields), QUIET)

    class Killed(BaseException):
        pass

    def after_step(point: Point, sync: Callable[[], None]) -> None:
        if point.step == stop:
            sync()
            living.save(tmp_path / "c", Live(mlp, masks), point)
            raise Killed

    with pytest.raises(Killed):
        run(mlp, job(points, masks, kept, **fields), Hooks(after_step, lambda e: None))
    live, point = living.restore(tmp_path / "c", again)
    found = run(again, job(points, live.masks, kept, **fields), QUIET, point)
    assert all(
        torch.equal(a, b) for a, b in zip(again.parameters(), whole.parameters(), strict=True)
    )
    for part in ("masks", "explored", "memory", "moments"):
        one, other = getattr(found, part), getattr(expected, part)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one), part
    assert found.updates == expected.updates


def test_a_training_that_pauses_is_gone_on_with_as_if_it_had_not(
    mlp: nn.Module, points: DataSet
) -> None:
    whole, masks = copy.deepcopy(mlp), half(mlp)
    fields: dict[str, Any] = {"optimizer": MOMENTUM, "schedule": "cosine", "warmup": "3it"}
    run(whole, job(points, masks, **fields), QUIET)
    paused = run(mlp, job(points, masks, until="35%", **fields), QUIET)
    assert paused.step == 7
    run(mlp, job(points, masks, start=7, moments=paused.moments, **fields), QUIET)
    assert all(torch.equal(a, b) for a, b in zip(mlp.parameters(), whole.parameters(), strict=True))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"until": "21it"}, "a training of 20 iterations cannot pause at iteration 21"),
        ({"until": "0it"}, "a training of 0it that starts at iteration 0 has no iterations"),
        ({"mask_update": "rigl"}, "rigl changes the masks every 100 iterations, and the training "
         "from 0 to 20 ends before the second time; set mask_every to fewer"),
        ({"mask_update": "set", "mask_every": "9it", "until": "9it"}, "from 0 to 9 ends before"),
    ],
)  # fmt: skip
def test_a_training_without_room_for_what_it_asks_is_refused(
    mlp: nn.Module, points: DataSet, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        run(mlp, job(points, half(mlp), **fields), QUIET)


KEPT = {"a": 5, "b": 5}  # before each change below


def masks_with(**counts: int) -> dict[str, Tensor]:
    made = {name: torch.zeros(10, dtype=torch.bool) for name in ("a", "b")}
    for name, count in counts.items():
        made[name][:count] = True
    return made


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"a": 6, "b": 6}, "keeps 12 weights; it may keep 7 .what the cut keeps. to 10 "),
        ({"a": 6, "b": 0}, "keeps 6 weights; it may keep 7"),
    ],
)
def test_a_change_that_grows_or_cuts_too_much_is_refused(change: dict[str, int], said: str) -> None:
    masks = masks_with(a=5, b=5)
    with pytest.raises(TicketError, match=rf"mask update 'own' {said}"):
        changed(masks, Change(masks_with(**change)), aim(masks, 7), KEPT, "own")


def test_a_change_may_move_weights_between_layers_and_must_fit_them() -> None:
    masks = masks_with(a=5, b=5)
    moved = changed(masks, Change(masks_with(a=2, b=8)), aim(masks), KEPT, "own")
    assert [int(m.count_nonzero()) for m in moved.values()] == [2, 8]
    assert list(changed(masks, Change({"a": masks["a"]}), aim(masks), KEPT, "own")) == ["a", "b"]
    with pytest.raises(TicketError, match="changes 'd', which is no layer that is pruned"):
        changed(masks, Change({"d": masks["a"]}), aim(masks), KEPT, "own")
    with pytest.raises(TicketError, match=r"mask update 'own': the mask of 'a' has shape \(3,\)"):
        changed(masks, Change({"a": torch.ones(3, dtype=torch.bool)}), aim(masks), KEPT, "own")
