"""`ticket export` writes what it says and says what it writes; a failure is one line and no file."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ticket import kernels
from ticket.tickets import load

Ticket = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.skipif(
    not kernels.describe().compiled, reason="exported files need the compiled operators"
)

NETS = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.fc = nn.Linear(16, classes)

    def forward(self, images):
        out = self.fc(images.flatten(1))
        return out if out.sum() > 0 else -out


def branching(shape, classes):
    return Net(classes)


def smooth(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.SiLU(), nn.Linear(8, classes))
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that the test works in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["mlp.tkt", "mlp.pt", "mlp.pt2", "mlp.safetensors"])
def test_every_format_has_its_ending_and_the_models_name(exported: Path, name: str) -> None:
    assert (exported / name).stat().st_size > 100


def test_one_screen_tells_sizes_multiply_adds_layers_the_check_and_what_comes_next(
    ticket: Ticket, found: Path, here: Path
) -> None:
    code, out, err = ticket("export", found, "-o", here / "new" / "a.tkt")
    held = load(found / "trained.safetensors")
    lines = out.splitlines()

    assert (code, err) == (0, "")
    assert len(lines) <= 24
    assert f"{(here / 'new' / 'a.tkt').stat().st_size:,} bytes" in lines[0]
    assert " x their entropy bound of " in out
    assert " x bound and biases, " in out
    assert f"compute  160 multiply-adds an image before, {held.kept} now" in out
    assert "the largest difference from PyTorch is" in out
    assert "test images of synthetic" in out
    assert f"ticket show {here / 'new' / 'a.tkt'}" in out
    assert [line.split()[0] for line in lines if " linear " in line] == ["fc1", "output"]


def test_json_counts_what_the_ticket_keeps(ticket: Ticket, found: Path, here: Path) -> None:
    _, out, _ = ticket("export", found, "--json")
    document = json.loads(out)
    masks = load(found / "trained.safetensors").masks

    assert document["files"] == ["mlp.tkt"]
    assert document["bytes"] == document["plan"]["bytes"] == Path("mlp.tkt").stat().st_size
    assert [layer["kept"] for layer in document["layers"]] == [int(m.sum()) for m in masks.values()]
    assert document["macs_before"] == 160
    assert document["checked"]["difference"] <= 1e-4
    assert document["checked"]["images"] > 0


def test_many_layers_share_lines_unless_all_are_asked_for(
    ticket: Ticket, networks: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticket_cli.export_report.MOST", 10)
    run = next(path for path in (networks / "runs").iterdir() if path.name.startswith("resnet20-"))
    _, every, _ = ticket("export", run, "-o", "a.tkt", "--layers")
    _, folded, _ = ticket("export", run, "-o", "b.tkt")
    kinds = [[line for line in out.splitlines() if " conv " in line] for out in (every, folded)]

    assert len(kinds[0]) == 21  # the shortcuts of two stages among them
    assert len(kinds[1]) < 10
    assert "22 layers, like ones in one line" in folded
    assert " like it" not in every


def test_more_layers_than_a_screen_holds_are_told_in_groups() -> None:
    from ticket.exporting.report import LayerReport
    from ticket_cli.export_report import _alike, _cells

    layers = [
        LayerReport(
            f"conv{n}", "conv", (8, 8, 3, 3), (8, 8, 3, 3), 144, 0.25, False, 9000, 2000, ()
        )
        for n in range(5)
    ]
    last = LayerReport("fc", "linear", (10, 8), (9, 8), 9, 0.125, True, 80, 72, ("relu",))

    assert [_cells(group) for group in _alike([*layers, last])] == [
        ["conv0 and 4 like it", "conv", "8 x 8 x 3 x 3", "25.00 %", "sparse", "0.045", "0.010", ""],
        [
            "fc",
            "linear",
            "10 x 8",
            "11.25 %",
            "dense",
            "0.000",
            "0.000",
            "+ relu; 1 filters dropped",
        ],
    ]


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--format", "torhscript"), 2, "did you mean 'torchscript'"),
        (("--threads", "2"), 2, "exporter 'native' has no option 'threads'"),
        (("--bundle",), 2, "exporter 'native' has no option 'bundle'"),
        (("--format", "pt2", "--set", "thread=2"), 2, "did you mean 'threads'"),
        (("--format", "pt2", "--threads", "2", "--set", "threads=2"), 2, "once"),
        (("--values", "int8"), 2, "fp32, fp16, bf16"),
        (("--batch", "0"), 2, "--batch"),
    ],
)
def test_a_wrong_flag_is_one_line_and_nothing_is_written(
    ticket: Ticket, found: Path, here: Path, flags: tuple[str, ...], code: int, said: str
) -> None:
    answer, out, err = ticket("export", found, *flags)

    assert (answer, out, err.count("\n")) == (code, "", 1)
    assert said in err
    assert list(here.iterdir()) == []


def test_a_ticket_that_is_not_trained_is_refused_with_the_remedy(
    ticket: Ticket, found: Path, here: Path
) -> None:
    code, _, err = ticket("export", found / "ticket.safetensors")

    assert (code, err.count("\n")) == (2, 1)
    assert "ticket train" in err
    assert list(here.iterdir()) == []


def test_a_file_that_is_there_is_replaced_by_force_alone(
    ticket: Ticket, found: Path, here: Path
) -> None:
    Path("mlp.tkt").write_text("mine")
    code, _, err = ticket("export", found)
    kept = Path("mlp.tkt").read_text()

    assert (code, kept, err.count("\n")) == (2, "mine", 1)
    assert "--force" in err
    assert ticket("export", found, "--force")[0] == 0
    assert Path("mlp.tkt").read_bytes().startswith(b"TKTPLAN")


def find(ticket: Ticket, tiny: tuple[str, ...], model: str) -> None:
    """Find a ticket of a network of NETS here."""
    Path("nets.py").write_text(NETS)
    flags = [flag for pair in zip(tiny[::2], tiny[1::2], strict=True) for flag in pair
             if not (pair[0] == "--model" or "model." in pair[1])]  # fmt: skip
    code, _, err = ticket("find", "--method", "lth", "--model", f"nets.py:{model}", *flags)
    assert code == 0, err


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("branching", "not branch on what is in it"),
        ("smooth", "uses aten.silu.default, which the executor does not know"),
    ],
)
def test_a_network_that_cannot_be_lowered_is_one_line_that_names_why(
    ticket: Ticket, here: Path, tiny: tuple[str, ...], model: str, said: str
) -> None:
    find(ticket, tiny, model)
    code, out, err = ticket("export", model, "-o", "out.tkt")

    assert (code, out, err.count("\n")) == (1, "", 1), err
    assert said in err
    assert not Path("out.tkt").exists()


def test_an_operator_that_the_executor_does_not_know_stays_torchs_and_is_told(
    ticket: Ticket, here: Path, tiny: tuple[str, ...]
) -> None:
    find(ticket, tiny, "smooth")
    told = "torch    runs what the executor does not know: aten.silu.default\n"

    for name, format in (("a.pt", "torchscript"), ("a.pt2", "pt2")):
        code, out, err = ticket("export", "smooth", "-f", format, "-o", name)
        assert (code, err) == (0, "")
        assert told + "         around 2 plans of the rest\n" in out
        code, shown, err = ticket("show", name)
        assert (code, err) == (0, "")
        rows = [
            line.split("  ")[0] for line in shown.splitlines() if line.startswith(("plan ", "at"))
        ][:-1]
        assert rows == ["plan 0", "aten.silu.default", "plan 1"]
        assert "\n2 plans  " in shown
        rows = json.loads(ticket("show", name, "--json")[1])["operations"]
        assert [row["op"] for row in rows if row.get("plan") == 1] == ["linear0"]
        assert rows[-2] == {"op": "plan 1", "reads": [3], "makes": 4, "shape": []}
    code, out, err = ticket("bench", "a.pt", "a.pt2", "--ticket", "smooth", "--batch", "1",
                            "--seconds", "0.01", "--against", "eager")  # fmt: skip
    assert (code, err) == (0, "")
    document = json.loads(ticket("export", "smooth", "-f", "pt2", "-o", "b.pt2", "--json")[1])
    assert document["torch"] == {"unknown": ["aten.silu.default"], "left": []}


def test_dense_weights_of_a_network_with_unknown_operators_are_written(
    ticket: Ticket, here: Path, tiny: tuple[str, ...]
) -> None:
    find(ticket, tiny, "smooth")

    assert ticket("export", "smooth", "-f", "safetensors")[0] == 0


def test_a_python_that_torch_scripts_no_more_under_is_told_what_to_use_instead(
    ticket: Ticket, found: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def worked(*_: object) -> None:
        raise AssertionError("something was done before the refusal")

    monkeypatch.setattr("ticket_plugins.exporters.torchscript.LAST_PYTHON", (3, 10))
    monkeypatch.setattr("ticket.api.read_ticket", worked)
    monkeypatch.setattr("ticket.exporting.agreement.compare", worked)
    code, out, err = ticket("export", found, "-f", "torchscript")

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"under Python 3.{sys.version_info[1]}; use --format pt2, or --format native" in err
    assert list(here.iterdir()) == []


def test_a_bundle_is_two_files_and_threads_are_in_the_file(
    ticket: Ticket, found: Path, here: Path
) -> None:
    code, out, _ = ticket("export", found, "-f", "torchscript", "--bundle", "--threads", "3")

    assert code == 0
    assert sorted(path.name for path in here.iterdir()) == ["mlp.pt", "mlp_ops.so"]
    assert "mlp_ops.so" in out
    with zipfile.ZipFile("mlp.pt") as archive:
        (state,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        assert b"K\x03" in archive.read(state)  # the pickled number 3


def test_a_batch_is_fixed(ticket: Ticket, found: Path, here: Path) -> None:
    code, out, err = ticket("export", found, "--batch", "3", "--json")

    assert (code, err) == (0, "")
    assert json.loads(out)["batch"] == 3
