"""An exported file gives PyTorch's outputs in a process that has torch and the operator library alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ticket
from ticket import kernels
from ticket.dataset import DataSet
from ticket.exporting.agreement import TOLERANCE
from ticket.exporting.export import Written
from ticket.exporting.exported import Exported
from ticket.exporting.lower import lower
from ticket.exporting.operators import run_plan
from ticket.exporting.program import assemble
from ticket.exporting.value_type import ValueType
from ticket.uses import Use, bind

pytestmark = pytest.mark.skipif(
    not kernels.describe().compiled, reason="exported files need the compiled operators"
)

Stranger = Callable[..., tuple[dict[str, Any], str]]
BATCHES = (1, 7, 64)


@dataclass(frozen=True, eq=False)
class Trained:
    """Hold a trained network, the file of its ticket, and how to export it."""

    network: nn.Module
    path: Path
    export: Callable[..., Written]


def small(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Build 1 - 8 - 8 channels with BatchNorm, then a linear layer, for 8 x 8 images."""
    return nn.Sequential(
        nn.Conv2d(shape[0], 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(128, classes),
    )


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Find and train an 80 % sparse network on the bundled digits, once."""
    home = tmp_path_factory.mktemp("exporters")
    found = ticket.find(
        small,
        "digits",
        "lth-oneshot",
        sparsity=0.8,
        training={"length": "20it"},
        runs_folder=home / "runs",
    )
    path = found.folder / "trained.safetensors"
    network = small((1, 8, 8), 10).eval()
    ticket.load(path).apply(network)

    def export(to: Path, format: str | dict[str, Any] = "native", **options: Any) -> Written:
        return ticket.export(path, to, format, model=small, **options)

    return Trained(network, path, export)


def images_of(batch: int) -> Tensor:
    """Return normalised images as the network takes them."""
    return torch.randn(batch, 1, 8, 8, generator=torch.Generator().manual_seed(batch))


@torch.no_grad()
def difference(found: Tensor, network: nn.Module, images: Tensor) -> float:
    """Return the largest difference of an output, as a share of its image's largest."""
    wanted = network(images)
    return float(((found - wanted).abs().amax(1) / wanted.abs().amax(1)).max())


def all_images() -> dict[str, Any]:
    """Return images of every batch, by its size."""
    return {str(n): images_of(n).numpy() for n in BATCHES}


def opened(path: Path, format: str) -> Callable[[Tensor], Tensor]:
    """Load a file in this process."""
    module: Any
    if format == "pt2":
        module = torch.export.load(path).module()
    else:
        with pytest.warns(DeprecationWarning, match=r"torch.jit.load"):
            module = torch.jit.load(str(path))  # type: ignore[no-untyped-call]
    found: Callable[[Tensor], Tensor] = module
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format", "name", "again"),
    [("torchscript", "a.pt", True), ("pt2", "a.pt2", False), ("native", "a.tkt", False)],
)
def test_a_process_without_ticket_gets_the_outputs_of_pytorch_and_reads_no_warning(
    trained: Trained, stranger: Stranger, tmp_path: Path, format: str, name: str, again: bool
) -> None:
    trained.export(tmp_path / name, format)
    found, printed = stranger(tmp_path / name, all_images())

    assert printed == ""
    assert len(found) == len(BATCHES) * (2 if again else 1)
    for batch in BATCHES:
        outputs = torch.from_numpy(found[str(batch)])
        assert difference(outputs, trained.network, images_of(batch)) <= TOLERANCE
        if again:  # saved by torch once more, and loaded
            np.testing.assert_array_equal(found[f"{batch}again"], found[str(batch)])


@pytest.mark.slow
def test_loading_makes_no_warning_but_torchs_own_about_torchscript(
    trained: Trained, stranger: Stranger, tmp_path: Path
) -> None:
    trained.export(tmp_path / "a.pt", "torchscript")
    own = [
        f"-Wignore:`torch.jit.{verb}` is deprecated:DeprecationWarning" for verb in ("load", "save")
    ]

    stranger(tmp_path / "a.pt", all_images(), "-Werror", *own)


def test_the_plan_alone_gives_the_outputs_of_pytorch(trained: Trained, tmp_path: Path) -> None:
    trained.export(tmp_path / "a.tkt")
    plan = (tmp_path / "a.tkt").read_bytes()

    for batch in BATCHES:
        found = run_plan(plan, images_of(batch), (10,))
        assert difference(found, trained.network, images_of(batch)) <= TOLERANCE


@pytest.mark.parametrize(
    "format",
    [
        "torchscript",
        "pt2",
    ],
)
def test_no_gradient_is_silently_wrong(trained: Trained, tmp_path: Path, format: str) -> None:
    trained.export(tmp_path / "a", format)

    assert not opened(tmp_path / "a", format)(images_of(2).requires_grad_()).requires_grad


@pytest.mark.parametrize("format", ["native", "torchscript", "pt2"])
@pytest.mark.parametrize("values", ["fp16", "bf16"])
def test_weights_of_16_bits_make_the_file_smaller_and_change_the_outputs_a_little(
    trained: Trained, tmp_path: Path, format: str, values: str
) -> None:
    whole = trained.export(tmp_path / "whole", format)
    half = trained.export(tmp_path / "half", format, values=values)

    assert half.size.weights < 0.6 * whole.size.weights
    assert half.bytes < whole.bytes
    assert 1e-6 < half.agreement.difference < 0.02
    assert whole.agreement.difference <= 1e-5


def test_raw_pixels_give_what_normalised_ones_give(trained: Trained, tmp_path: Path) -> None:
    data = bind(Use("datasets", "digits"))(tmp_path)
    assert isinstance(data, DataSet)
    raw = data.test_images[:64].float()
    mean, std = (torch.tensor(numbers).reshape(-1, 1, 1) for numbers in (data.mean, data.std))
    normalised = (raw / 255 - mean) / std
    trained.export(tmp_path / "a.tkt", normalize=True)
    found = run_plan((tmp_path / "a.tkt").read_bytes(), raw, (10,))

    assert raw.max() > 200  # bytes, not shares
    assert difference(found, trained.network, normalised) <= TOLERANCE


@pytest.mark.parametrize("format", ["torchscript", "pt2"])
def test_a_file_of_a_fixed_batch_refuses_another(
    trained: Trained, tmp_path: Path, format: str
) -> None:
    path = tmp_path / "fixed"
    lowered, metadata = lower(trained.network, (1, 8, 8)), {"batch": 3}
    program, example = assemble(lowered.graph, metadata, ValueType.FP32), images_of(2)
    whole = Exported(trained.network, lowered, program, metadata, (1, 8, 8), (10,), 3, example)
    bind(Use("exporters", format))(whole, path)
    module = opened(path, format)

    assert difference(module(images_of(3)), trained.network, images_of(3)) <= TOLERANCE
    with pytest.raises((RuntimeError, AssertionError), match=r"3|batch"):
        module(images_of(4))


def test_the_same_ticket_gives_the_same_bytes(trained: Trained, tmp_path: Path) -> None:
    trained.export(tmp_path / "a.tkt")
    trained.export(tmp_path / "b.tkt")

    assert (tmp_path / "a.tkt").read_bytes() == (tmp_path / "b.tkt").read_bytes()


def test_safetensors_hold_the_dense_weights(trained: Trained, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    trained.export(tmp_path / "a.safetensors", "safetensors")
    state = load_file(tmp_path / "a.safetensors")

    assert state.keys() == trained.network.state_dict().keys()
    for name, tensor in trained.network.state_dict().items():
        assert torch.equal(state[name], tensor)


@pytest.mark.parametrize(("format", "name"), [("torchscript", "a.pt"), ("pt2", "a.pt2")])
def test_a_bundle_is_all_that_a_stranger_needs(
    trained: Trained, tmp_path: Path, format: str, name: str
) -> None:
    written = trained.export(tmp_path / name, {"name": format, "bundle": True})

    assert written.paths == (tmp_path / name, tmp_path / "a_ops.so")
    assert written.paths[1].read_bytes() == Path(kernels.describe().detail).read_bytes()
