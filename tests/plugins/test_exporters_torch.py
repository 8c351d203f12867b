"""Files with torch's operators between ours run in a process that has torch and the library alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ticket import kernels
from ticket.errors import TicketError
from ticket.exporting.agreement import TOLERANCE
from ticket.exporting.exported import Exported
from ticket.exporting.lower import lower
from ticket.exporting.program import assemble
from ticket.exporting.value_type import ValueType
from ticket.uses import Use, bind

pytestmark = pytest.mark.skipif(
    not kernels.describe().compiled, reason="exported files need the compiled operators"
)
Stranger = Callable[..., tuple[dict[str, Any], str]]


class Mixed(nn.Module):
    """Use constants, sizes of the batch, several results, keywords, empty lists."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.act = nn.PReLU(8)
        self.grow = nn.ConvTranspose2d(8, 8, 2, 2)
        self.norm = nn.LayerNorm(8)
        self.last = nn.Linear(8, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return log-probabilities."""
        x = nn.functional.silu(self.first(images))
        x = self.act(self.second(x) + x)
        x = nn.functional.interpolate(self.grow(x), scale_factor=0.5, mode="nearest")
        n = x.shape[0]
        x = x.permute(0, 2, 3, 1).reshape(n, -1, 8)
        x = self.norm(x).amax(1)
        one, other = x.view(n, 2, 4).unbind(1)
        x = torch.cat([other, one], 1) * x.std(1, keepdim=True)
        largest, _ = x.max(1, keepdim=True)
        return torch.log_softmax(self.last(x - largest), 1)


def exported(network: nn.Module, shape: tuple[int, int, int], batch: int = 0) -> Exported:
    lowered = lower(network, shape)
    metadata = {"batch": batch, "model": type(network).__name__}
    program = assemble(lowered.graph, metadata, ValueType.FP32)
    example = torch.zeros(2, *shape)
    return Exported(network, lowered, program, metadata, shape, (10,), batch, example)


def mixed() -> nn.Module:
    torch.manual_seed(0)
    return Mixed().eval()


@pytest.mark.slow
@pytest.mark.parametrize(("format", "name"), [("torchscript", "a.pt"), ("pt2", "a.pt2")])
def test_plans_and_torchs_operators_give_the_outputs_of_pytorch(
    stranger: Stranger, tmp_path: Path, format: str, name: str
) -> None:
    network = mixed()
    whole = exported(network, (3, 8, 8))
    bind(Use("exporters", format))(whole, tmp_path / name)
    images = {str(n): torch.randn(n, 3, 8, 8) for n in (1, 7)}
    found, printed = stranger(tmp_path / name, {n: one.numpy() for n, one in images.items()})

    assert printed == ""
    assert len(whole.program.plans) >= 3
    for batch, one in images.items():
        with torch.no_grad():
            wanted = network(one)
        for outputs in (found[key] for key in found if key.removesuffix("again") == batch):
            apart = (torch.from_numpy(outputs) - wanted).abs().amax(1)
            assert bool((apart <= TOLERANCE * wanted.abs().amax(1)).all())


def test_native_refuses_what_torch_must_run_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(TicketError, match=r"'Mixed' uses aten\.sym_size\.int, aten\.silu\.default"):
        bind(Use("exporters", "native"))(exported(mixed(), (3, 8, 8)), tmp_path / "a.tkt")
    assert not list(tmp_path.iterdir())


def test_the_file_says_nothing_of_where_it_was_written(tmp_path: Path) -> None:
    import zipfile

    bind(Use("exporters", "torchscript"))(exported(mixed(), (3, 8, 8)), tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        held = b"".join(archive.read(name) for name in archive.namelist())

    assert str(Path(__file__).parents[2]).encode() not in held
    assert b"torchscript.py" not in held.replace(b"/torchscript/", b"")
