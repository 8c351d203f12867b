"""`.pt2` files go through torch's own compilers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from ticket import kernels
from ticket.exporting.exported import Exported
from ticket.exporting.lower import lower
from ticket.exporting.program import assemble
from ticket.exporting.value_type import ValueType
from ticket.uses import Use, bind

pytestmark = pytest.mark.skipif(
    not kernels.describe().compiled, reason="exported files need the compiled operators"
)

# Runs what AOTInductor made of a file, with the operator library alone.
CLIENT = """
import sys
import numpy as np
import torch

library, package, folder = sys.argv[1:]
torch.ops.load_library(library)
run = torch._inductor.aoti_load_package(package)
images = np.load(folder + "/images.npz")
found = {name: run(torch.from_numpy(images[name])).numpy() for name in images}
assert "ticket" not in sys.modules
np.savez(folder + "/found.npz", **found)
"""


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.SiLU(),
        nn.Conv2d(8, 8, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(128, 5),
    ).eval()


def loaded(folder: Path) -> ExportedProgram:
    """Export the network to `.pt2`, and load it."""
    made, told = network(), {"batch": 0}
    lowered = lower(made, (3, 8, 8))
    program = assemble(lowered.graph, told, ValueType.FP32)
    example = torch.zeros(2, 3, 8, 8)
    whole = Exported(made, lowered, program, told, (3, 8, 8), (5,), 0, example)
    bind(Use("exporters", "pt2"))(whole, folder / "a.pt2")
    return torch.export.load(folder / "a.pt2")


@torch.no_grad()
def wanted(images: Tensor) -> Tensor:
    result: Tensor = network()(images)
    return result


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_torch_compiles_a_file_whole(tmp_path: Path, backend: str) -> None:
    compiled: Any = torch.compile(loaded(tmp_path).module(), backend=backend, fullgraph=True)

    for batch in (1, 4):
        images = torch.randn(batch, 3, 8, 8)
        with torch.no_grad():
            torch.testing.assert_close(compiled(images), wanted(images), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # torch's own
def test_aotinductor_packages_a_file_for_a_process_without_ticket(tmp_path: Path) -> None:
    program = loaded(tmp_path)
    program.example_inputs = ((torch.zeros(2, 3, 8, 8),), {})
    package = tmp_path / "packaged.pt2"
    torch._inductor.aoti_compile_and_package(program, package_path=str(package))
    images = {str(n): torch.randn(n, 3, 8, 8) for n in (1, 4)}
    np.savez(tmp_path / "images.npz", **{name: one.numpy() for name, one in images.items()})  # type: ignore[arg-type]
    library = kernels.describe().detail
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, library, str(package), str(tmp_path)],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    for name, found in np.load(tmp_path / "found.npz").items():
        torch.testing.assert_close(
            torch.from_numpy(found), wanted(images[name]), rtol=1e-4, atol=1e-5
        )
