"""A sparse file is as small as its weights and biases allow, and what the container is known to take."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from ticket import kernels
from ticket.exporting.entropy import measure
from ticket.exporting.exported import Exported
from ticket.exporting.lower import lower
from ticket.exporting.program import assemble
from ticket.exporting.value_type import ValueType
from ticket.masks import apply_, prunable
from ticket.uses import Use, bind
from ticket_plugins.exporters.small_zip import repacked

pytestmark = pytest.mark.skipif(
    not kernels.describe().compiled, reason="exported files need the compiled operators"
)

CONTAINERS = {"native": 0, "torchscript": 2048, "pt2": 7168}  # bytes
SHAPES = {"resnet20": (3, 32, 32), "lenet-300-100": (1, 28, 28)}


def exported(name: str, sparsity: float) -> Exported:
    """Keep the largest weights of a network, and say of it as much as `ticket export` does."""
    torch.manual_seed(0)
    shape = SHAPES[name]
    made: nn.Module = bind(Use("models", name))(shape, 10)
    sizes = {n: w.detach().abs() for n, w in prunable(made).items()}
    every = torch.cat([size.flatten() for size in sizes.values()]).sort().values
    least = every[int(sparsity * len(every))]
    apply_(made, {n: size >= least for n, size in sizes.items()})
    for _ in range(3):
        made(torch.randn(16, *shape))
    lowered = lower(made.eval(), shape)
    numbers = [0.4914, 0.4822, 0.4465]
    told = {
        "model": name,
        "classes": [f"a class of name {n}" for n in range(10)],
        "ticket": "0" * 32 + "5" * 32,
        "batch": 0,
        "normalisation": {"mean": numbers, "std": numbers, "scale": 1 / 255, "in_plan": False},
        "producer": f"ticket, torch {torch.__version__}",
    }
    program = assemble(lowered.graph, told, ValueType.FP32)
    return Exported(made, lowered, program, told, shape, (10,), 0, torch.zeros(2, *shape))


@pytest.mark.parametrize("sparsity", [0.9, 0.99])
@pytest.mark.parametrize("name", SHAPES)
def test_a_file_is_within_a_tenth_of_the_bound_of_what_it_keeps(
    tmp_path: Path, name: str, sparsity: float
) -> None:
    whole = exported(name, sparsity)
    size = measure(whole.plan)
    for format, container in CONTAINERS.items():
        path = tmp_path / format
        bind(Use("exporters", format))(whole, path)
        assert path.stat().st_size <= 1.1 * (size.bound + size.biases) + container
        assert path.stat().st_size <= size.plan + min(container, 3072)
    assert size.container <= 900


def test_equal_networks_give_equal_torchscript(tmp_path: Path) -> None:
    """torch counts the classes that a process makes, which is nothing of the network's."""
    whole = exported("lenet-300-100", 0.9)
    for name in ("one", "other"):
        bind(Use("exporters", "torchscript"))(whole, tmp_path / name)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_only_tensors_are_stored_as_they_are_and_debug_records_are_left_out(tmp_path: Path) -> None:
    whole = exported("lenet-300-100", 0.9)
    bind(Use("exporters", "torchscript"))(whole, tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        members = {member.filename: member for member in archive.infolist()}

    assert members["t/data/0"].compress_type == zipfile.ZIP_STORED
    assert members["t/code/__torch__/ticket.py"].compress_type == zipfile.ZIP_DEFLATED
    assert not [name for name in members if "debug" in name or "mangle" in name]


def test_a_module_of_another_makes_its_way_through_a_smaller_zip(tmp_path: Path) -> None:
    """Nothing that torch needs is dropped, whatever a module has."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval()
    images = torch.randn(2, 3, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(network), tmp_path / "whole")
        small = repacked((tmp_path / "whole").read_bytes())
        (tmp_path / "small").write_bytes(small)
        again = torch.jit.load(tmp_path / "small")  # type: ignore[no-untyped-call]

    assert len(small) < 0.7 * (tmp_path / "whole").stat().st_size
    torch.testing.assert_close(again(images), network(images))
