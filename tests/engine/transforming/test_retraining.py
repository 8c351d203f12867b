"""A strategy that carries out a recipe toward a ticket's mask is the run that finds it by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ticket import api, loop
from ticket.errors import TicketError, UsageError
from ticket.finding import Finding, find_one
from ticket.locate import locate
from ticket.request import Request
from ticket.tickets import Ticket, load
from ticket.transforming.lineage import same_bits
from ticket.watch import Progress

Make = Callable[..., Request]


def equal(one: Ticket, other: Ticket) -> bool:
    return all(torch.equal(m, other.masks[n]) for n, m in one.masks.items()) and all(
        same_bits(t, other.state[n]) for n, t in one.state.items()
    )


def untransformed(found: Finding, path: Path) -> Path:
    """Write the ticket of the same mask and the weights that the run began with."""
    first = load(found.folder / "round-00" / "ticket.safetensors")
    state = dict(first.state)
    for name, mask in found.ticket.masks.items():
        state[name] = state[name] * mask + 0.0
    Ticket(found.ticket.masks, state, {**found.ticket.record, "rounds": []}).save(path)
    return path


def test_rst_of_a_random_ticket_is_what_dlth_finds_with_its_seed(
    request_for: Make, tmp_path: Path
) -> None:
    recipe = {"sparsity": 0.6, "rounds": 1, "rates": "same"}
    random = find_one(request_for(method="random", recipe=recipe, seed=2))
    found = find_one(request_for(method="dlth", recipe=recipe, seed=2))
    made = api.transform(
        random.folder / "ticket.safetensors", strategy="rst", runs_folder=tmp_path / "made"
    )
    assert not equal(random.ticket, found.ticket)
    assert equal(made.ticket, found.ticket)
    assert made.iterations == 23  # 115 % of 20
    assert made.ticket.record["recipe"]["name"] == "random"  # it is trained as before
    assert made.ticket.record["moves"]["masks"] == {n: n for n in found.ticket.masks}


@pytest.mark.parametrize(
    ("method", "strategy"),
    [
        ("unidlth", "unidlth"),
        ("dlth-iter", {"name": "rst", "recipe": "dlth-iter"}),
        ("dlth", "rst"),
    ],
)
def test_the_same_mask_comes_in_the_same_rounds(
    request_for: Make, tmp_path: Path, method: str, strategy: Any
) -> None:
    rounds = {"dlth-iter": 5, "dlth": 1}.get(method)
    found = find_one(request_for(method=method, recipe={"sparsity": 0.6, "rounds": rounds}, seed=1))
    source = untransformed(found, tmp_path / "source.safetensors")
    made = api.transform(source, strategy=strategy, runs_folder=tmp_path / "made")
    assert not equal(load(source), found.ticket)
    assert equal(made.ticket, found.ticket)
    spent = sum(t["iterations"] for r in found.rounds[:-1] for t in r["trainings"])
    assert made.iterations == spent > 0


def test_any_mask_can_be_gone_toward(request_for: Make, tmp_path: Path) -> None:
    """Counts by layer that no layer-wise recipe would give, a layer left dense: the mask stays."""
    recipe = {"sparsity": 0.5, "rounds": 1, "exclude": ["output.*"]}
    found = find_one(request_for(method="kd", recipe=recipe))
    path = found.folder / "ticket.safetensors"
    for strategy in ("rst", "unidlth"):
        made = api.transform(path, strategy=strategy, runs_folder=tmp_path / "made")
        assert all(torch.equal(made.ticket.masks[n], m) for n, m in found.ticket.masks.items())
        assert any(not same_bits(made.ticket.state[n], t) for n, t in found.ticket.state.items())


def test_masked_weights_come_from_the_start_of_the_run(request_for: Make, tmp_path: Path) -> None:
    """Weights that the run was given are not drawn again: the ticket's file alone does not know them."""
    first = find_one(request_for(method="dense", seed=5, runs_folder=tmp_path / "dense"))
    asked = request_for(
        method="random",
        recipe={"sparsity": 0.6, "rounds": 1},
        weights=first.folder / "trained.safetensors",
    )
    found = find_one(asked)
    made = api.transform(
        found.folder / "ticket.safetensors", strategy="rst", runs_folder=tmp_path / "made"
    )
    (run,) = (p for p in (tmp_path / "made").iterdir() if "-dlth-" in p.name)
    start = load(run / "round-00" / "ticket.safetensors")
    trained = load(first.folder / "trained.safetensors")
    assert all(same_bits(t, start.state[n]) for n, t in trained.state.items())
    found.ticket.save(tmp_path / "alone.safetensors")
    with pytest.raises(TicketError, match="strategy 'rst' wants the weights that the run began"):
        api.transform(tmp_path / "alone.safetensors", strategy="rst", runs_folder=tmp_path / "m")
    assert made.path is not None


def test_a_ticket_in_a_basis_stays_there(request_for: Make, tmp_path: Path) -> None:
    recipe = {"sparsity": 0.6, "rounds": 1, "basis": "dct", "rates": "same"}
    random = find_one(request_for(method="random", recipe=recipe))
    found = find_one(request_for(method="dlth", recipe=recipe))
    path = random.folder / "ticket.safetensors"
    made = api.transform(path, strategy="rst", runs_folder=tmp_path / "made")
    assert equal(made.ticket, found.ticket)
    assert made.ticket.record["recipe"]["basis"] == "dct"


def test_a_ticket_of_another_depth_is_stretched_first(request_for: Make, tmp_path: Path) -> None:
    sets = (("model", {"name": "mlp", "hidden": [8, 8, 8]}),)
    found = find_one(request_for(method="random", recipe={"sparsity": 0.6, "rounds": 1}, sets=sets))
    to = {"name": "mlp", "hidden": [8, 8, 8, 8]}
    path, runs = found.folder / "ticket.safetensors", tmp_path / "made"
    moved = api.transform(path, to, runs_folder=runs)
    made = api.transform(path, to, strategy="rst", runs_folder=runs)
    again = api.transform(path, to, strategy=["elastic", "rst"], runs_folder=runs)
    for one in (made, again):
        assert all(torch.equal(m, moved.ticket.masks[n]) for n, m in one.ticket.masks.items())
        assert not equal(one.ticket, moved.ticket)


def test_a_killed_strategy_goes_on_and_is_not_repeated(
    request_for: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    found = find_one(request_for(method="random", recipe={"sparsity": 0.6, "rounds": 1}))
    path, runs, seen = found.folder / "ticket.safetensors", tmp_path / "made", list[int]()

    def kill(progress: Progress) -> None:
        if progress.kind == "evaluated" and progress.step >= 15:
            raise MemoryError

    with pytest.raises(MemoryError):
        api.transform(path, strategy="rst", runs_folder=runs, report=kill)

    def watch(progress: Progress) -> None:
        if progress.kind == "evaluated":
            seen.append(progress.step)

    done = api.transform(path, strategy="rst", runs_folder=runs, report=watch)
    alone = api.transform(path, strategy="rst", runs_folder=tmp_path / "others")
    assert seen == [15, 20, 23]
    assert done.ticket.identity() == alone.ticket.identity()
    seen.clear()
    api.transform(path, strategy="rst", runs_folder=runs, report=watch)
    assert seen == []


def test_the_strategys_own_run_is_no_ticket_of_the_model(request_for: Make, tmp_path: Path) -> None:
    found = find_one(request_for(method="random", recipe={"sparsity": 0.6, "rounds": 1}))
    runs = tmp_path / "made"
    made = api.transform(found.folder / "ticket.safetensors", strategy="rst", runs_folder=runs)
    assert locate("mlp", runs) == made.path
    assert len(list(runs.iterdir())) == 2


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("dense", "recipe 'dense' prunes nothing"),
        ("dlht", "no recipe named 'dlht'; did you mean 'dlth'"),
        ("kd", None),
    ],
)
def test_what_leads_to_no_mask_is_refused(
    request_for: Make, tmp_path: Path, option: str, said: str | None
) -> None:
    found = find_one(request_for(method="random", recipe={"sparsity": 0.6, "rounds": 1}))
    path, runs = found.folder / "ticket.safetensors", tmp_path / "made"
    strategy = {"name": "rst", "recipe": option}
    if said is None:  # any recipe with rounds will do: this one goes back to the initial weights
        made = api.transform(path, strategy=strategy, runs_folder=runs)
        assert equal(made.ticket, found.ticket)
        return
    with pytest.raises(UsageError, match=said):
        api.transform(path, strategy=strategy, runs_folder=runs)
    with pytest.raises(UsageError, match="writes a run, so it cannot just be planned"):
        api.transform(path, strategy="rst", runs_folder=runs, write=False)
    assert not runs.exists()


def test_a_dense_ticket_has_no_mask_to_go_toward(request_for: Make, tmp_path: Path) -> None:
    found = find_one(request_for(method="dense"))
    with pytest.raises(UsageError, match="keeps every weight; there is no mask to go toward"):
        api.transform(found.folder / "ticket.safetensors", strategy="rst", runs_folder=tmp_path)
