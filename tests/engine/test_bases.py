"""In a basis a network computes the same, trains the same by plain SGD, and is sparse elsewhere."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ticket import api
from ticket.bases import coefficients, in_basis, put_in_basis, settle
from ticket.batches import split
from ticket.dataset import DataSet
from ticket.errors import TicketError, UsageError
from ticket.finding import Finding, find_one, plan
from ticket.job import Hooks, Job
from ticket.network import load_state, state_of
from ticket.request import Objects, Request, prepare
from ticket.tickets import create, load
from ticket.training import Training, read_training
from ticket.training_loop import run
from ticket.uses import Use, asked_use

Make = Callable[..., Request]
QUIET = Hooks(lambda point, sync: None, lambda evaluated: None)
DCT = Use("bases", "dct")
RANDOM = Use("bases", "random-orthonormal")


def network() -> nn.Module:
    """Return convolutions of two strides, one of them in groups, and two linear layers."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 6, 3, stride=2, groups=2), nn.ReLU(), nn.Flatten(),
        nn.Linear(6, 5, bias=False), nn.Linear(5, 4),
    )  # fmt: skip


IMAGES = torch.randn(7, 1, 4, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("basis", [DCT, RANDOM, replace(DCT, options={"axes": "channels"})])
def test_a_network_in_a_basis_computes_the_same_and_can_be_brought_back(basis: Use) -> None:
    plain = network().eval()
    moved = put_in_basis(copy.deepcopy(plain), basis)
    assert in_basis(moved)
    assert not in_basis(plain)
    assert moved.state_dict().keys() == plain.state_dict().keys()
    assert not torch.allclose(moved[0].weight, plain[0].weight)  # type: ignore[index]
    assert torch.allclose(moved(IMAGES), plain(IMAGES), atol=1e-5)
    twin = copy.deepcopy(moved)
    with torch.no_grad():
        twin[0].weight.zero_()  # type: ignore[index]
    assert torch.allclose(moved(IMAGES), plain(IMAGES), atol=1e-5)  # a copy is a copy
    assert not torch.allclose(twin(IMAGES), plain(IMAGES), atol=1e-3)
    back = settle(moved)
    assert not in_basis(back)
    for name, tensor in plain.state_dict().items():
        assert torch.allclose(back.state_dict()[name], tensor, atol=1e-5), name
    assert torch.allclose(back(IMAGES), plain(IMAGES), atol=1e-5)


def test_the_gradient_in_the_coefficients_is_the_transposed_basis_times_the_weights() -> None:
    plain = network()
    moved = put_in_basis(copy.deepcopy(plain), RANDOM)
    for model in (plain, moved):
        model(IMAGES).square().sum().backward()
    layer = plain[6]  # type: ignore[index]
    rows, columns = asked_basis(tuple(layer.weight.shape))
    expected = rows.T @ layer.weight.grad @ columns
    assert torch.allclose(moved[6].weight.grad, expected, atol=1e-4)  # type: ignore[index]


def asked_basis(shape: tuple[int, ...]) -> list[Tensor]:
    from ticket.uses import bind

    return [matrix.float() for matrix in bind(RANDOM)(shape)]


@pytest.mark.parametrize(("optimizer", "same"), [("sgd", True), ("adam", False)])
@pytest.mark.parametrize("basis", [DCT, RANDOM])
def test_dense_training_by_plain_sgd_does_not_depend_on_the_basis(
    points: DataSet, basis: Use, optimizer: str, same: bool
) -> None:
    """Thirty iterations with weight decay; Adam's steps are taken coordinate by coordinate."""
    fields = {"optimizer": optimizer, "lr": 0.05, "weight_decay": 0.01, "batch_size": 16}
    values, _ = read_training({**fields, "length": "30it", "eval_every": "30it"}, "")
    plain = network()
    moved = put_in_basis(copy.deepcopy(plain), basis)
    before = state_of(plain)
    for model in (plain, moved):
        splits = split(points, 0, torch.device("cpu"))
        run(model, Job(Training(**values), splits, 0, "here"), QUIET)
    settle(moved)
    for name, tensor in plain.state_dict().items():
        if "weight" in name and tensor.dim() > 1:
            assert torch.allclose(moved.state_dict()[name], tensor, atol=2e-4) is same, name
            assert (tensor - before[name]).abs().max() > 1e-2  # it was trained


def masks_and_states(found: Finding) -> list[dict[str, Tensor]]:
    made = [load(path) for path in sorted(found.folder.glob("round-*/ticket.safetensors"))]
    made.append(load(found.folder / "trained.safetensors"))
    return [{**t.state, **{f"mask {n}": m for n, m in t.masks.items()}} for t in made]


def test_the_canonical_basis_is_lth_bit_for_bit(request_for: Make) -> None:
    canonical = (("recipe.basis", "canonical"),)
    lth = masks_and_states(find_one(request_for(method="lth")))
    ours = masks_and_states(find_one(request_for(method="lth-basis", sets=canonical)))
    other = masks_and_states(find_one(request_for(method="lth-basis")))
    for one, two in zip(lth, ours, strict=True):
        assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())
    assert not all(torch.equal(t, other[-1][n]) for n, t in lth[-1].items())


def test_the_smallest_coefficients_go_and_the_others_return(request_for: Make) -> None:
    asked = request_for(method="lth-basis", keep="all", recipe={"rounds": 1, "rates": "same"})
    found = find_one(asked)
    weights = prepare(replace(asked, method="lth", sets=asked.sets)).task.network(0, "init")
    trained = load(found.folder / "round-00" / "trained-0.safetensors")
    for name, mask in found.ticket.masks.items():
        sizes = trained.state[name].abs()
        assert sizes[~mask].max() <= sizes[mask].min()
        first = weights.get_parameter(name).detach().double()
        rows, columns = (m for m in _dct(first.shape))
        start = (rows.T @ first @ columns).float()
        assert torch.allclose(found.ticket.state[name][mask], start[mask], atol=1e-6)
        assert not found.ticket.state[name][~mask].any()


def _dct(shape: Any) -> list[Tensor]:
    from ticket_plugins.bases.bases import dct

    return [m for m in dct(tuple(shape)) if m is not None]


def test_such_a_ticket_is_trained_evaluated_and_exported(request_for: Make, tmp_path: Path) -> None:
    found = find_one(request_for(method="lth-basis"))
    path = found.folder / "trained.safetensors"
    assert api.evaluate(path).accuracy == found.final["end"]["test_accuracy"]
    again = api.train(found.folder / "ticket.safetensors", runs_folder=tmp_path / "again")
    assert again.ticket.record["recipe"]["basis"] == "dct"
    assert 0 < again.final["end"]["test_loss"] < 1.5
    written = api.export(path, tmp_path / "dense.safetensors", "safetensors")
    from safetensors.torch import load_file

    exported = load_file(written.paths[0])
    trained = load(path)
    for name in trained.masks:
        rows, columns = _dct(trained.state[name].shape)
        plain = rows @ trained.state[name].double() @ columns.T
        assert torch.allclose(exported[name].double(), plain, atol=1e-5), name
        assert exported[name].count_nonzero() == exported[name].numel()  # sparse in the basis alone


def test_such_a_ticket_moves_to_another_depth(request_for: Make, tmp_path: Path) -> None:
    sets = (("model", {"name": "mlp", "hidden": [8, 8, 8]}),)
    found = find_one(request_for(method="lth-basis", sets=sets))
    to = {"name": "mlp", "hidden": [8, 8, 8, 8]}
    path, runs = found.folder / "ticket.safetensors", tmp_path / "made"
    made = api.transform(path, to, runs_folder=runs)
    trained = api.train(made.path or "", runs_folder=runs)
    assert trained.ticket.record["recipe"]["basis"] == "dct"
    reinit = api.transform(path, strategy="reinit", runs_folder=runs)
    assert reinit.ticket.kept == found.ticket.kept


def test_a_ticket_in_a_basis_and_a_plain_network_do_not_mix(request_for: Make) -> None:
    found = find_one(request_for(method="lth-basis"))
    plain = prepare(request_for(method="lth")).task.network(0, "init")
    with pytest.raises(
        TicketError, match="are coefficients in the basis dct, the network's are not"
    ):
        found.ticket.apply(plain)
    ticket = create(plain, {}, record={})
    with pytest.raises(TicketError, match="are coefficients in a basis, the ticket's are not"):
        ticket.apply(put_in_basis(plain, DCT))


def test_given_weights_are_plain_ones_and_mean_the_same_network(
    request_for: Make, tmp_path: Path, points: DataSet
) -> None:
    dense = find_one(request_for(method="dense"))
    state = dict(load(dense.folder / "trained.safetensors").state)
    torch.save(state, tmp_path / "plain.pt")
    ready = prepare(request_for(method="lth-basis", weights=tmp_path / "plain.pt"))
    moved = ready.task.network(0, "init")
    plain = prepare(request_for(method="lth")).task.network(0, "init")
    load_state(moved, ready.weights or {})
    load_state(plain, state)
    assert torch.allclose(moved.eval()(IMAGES), plain.eval()(IMAGES), atol=1e-5)
    own = network()
    asked = Request(method="lth-basis", training={"length": "5it"}, runs_folder=tmp_path)
    given = prepare(asked, Objects(own, points))
    built = given.task.network(0, "init")
    load_state(built, given.weights or {})
    assert torch.allclose(built.eval()(IMAGES), own.eval()(IMAGES), atol=1e-5)


def test_coefficients_of_another_basis_are_no_weights(request_for: Make, tmp_path: Path) -> None:
    found = find_one(request_for(method="lth-basis", runs_folder=tmp_path / "dct"))
    path = found.folder / "trained.safetensors"
    same = prepare(request_for(method="lth-basis", weights=path))
    assert all(torch.equal(t, load(path).state[n]) for n, t in (same.weights or {}).items())
    with pytest.raises(TicketError, match="holds coefficients in the basis dct, not in canonical"):
        prepare(request_for(method="lth", weights=path))
    with pytest.raises(TicketError, match="not in random-orthonormal"):
        plan(
            request_for(
                method="lth-basis", weights=path, sets=(("recipe.basis", "random-orthonormal"),)
            )
        )


@pytest.mark.parametrize(
    ("basis", "said"),
    [
        (
            {"name": "dct", "block": 3},
            r"layer 'fc1' \[8, 16\]: basis 'dct' with blocks of 3 does not fit",
        ),
        ({"name": "dct", "axes": "taps"}, "basis 'dct' leaves every layer of Mlp as it is"),
        ("dtc", "no basis named 'dtc'; did you mean 'dct'"),
        ({"name": "dct", "axis": 1}, "basis 'dct' has no option 'axis'; did you mean 'axes'"),
    ],
)
def test_a_basis_that_does_not_fit_is_refused_before_anything_trains(
    request_for: Make, basis: object, said: str
) -> None:
    asked = request_for(method="lth-basis", sets=(("recipe.basis", basis),))
    with pytest.raises(UsageError, match=said):
        find_one(asked)
    assert not asked.runs_folder.exists()


PLUGINS = """
import torch

def skew(shape):
    return [torch.ones(n, n) for n in shape]

def short(shape):
    return [torch.eye(2)]

def small(shape):
    return [torch.eye(n + 1) for n in shape]
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("skew", r"of layer '6' \[5, 6\] is not orthonormal: axis 0 is off by"),
        ("short", r"of layer '6' \[5, 6\] has 1 matrices for 2 axes"),
        ("small", r"does not fit: the matrix of axis 0 is \[6, 6\], not \[5, 5\]"),
    ],
)
def test_a_plugin_that_gives_no_basis_is_refused(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "bases.py").write_text(PLUGINS)
    layers = nn.Sequential(*[nn.Identity()] * 6, nn.Linear(6, 5))
    with pytest.raises(UsageError, match=said):
        put_in_basis(layers, asked_use("bases", f"{tmp_path / 'bases.py'}:{name}"))


def test_a_transposed_convolution_is_refused_by_name() -> None:
    layers = nn.Sequential(nn.ConvTranspose2d(4, 2, 3))
    with pytest.raises(
        UsageError, match=r"layer '0' \[4, 2, 3, 3\]: a ConvTranspose2d cannot be put"
    ):
        put_in_basis(layers, DCT)


def test_a_weight_that_two_layers_share_is_one_set_of_coefficients() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Flatten(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16))
    plain[3].weight = plain[1].weight
    moved = put_in_basis(copy.deepcopy(plain), DCT)
    assert moved[3].weight is moved[1].weight  # type: ignore[index]
    assert torch.allclose(moved(IMAGES), plain(IMAGES), atol=1e-5)
    assert torch.allclose(settle(moved)(IMAGES), plain(IMAGES), atol=1e-5)


def test_a_state_in_the_basis_is_what_the_network_there_holds() -> None:
    plain = network()
    moved = put_in_basis(copy.deepcopy(plain), DCT)
    found = coefficients(moved, state_of(plain))
    assert all(torch.allclose(t, found[n], atol=1e-6) for n, t in state_of(moved).items())
