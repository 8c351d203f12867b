"""`ticket show` reads the plan out of every exported file; a damaged or foreign one is one line."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ticket import kernels
from ticket.files import digest
from ticket.tickets import load

Ticket = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.skipif(
    not kernels.describe().compiled, reason="exported files need the compiled operators"
)


@pytest.mark.parametrize(
    ("name", "format"), [("mlp.tkt", "native"), ("mlp.pt", "torchscript"), ("mlp.pt2", "pt2")]
)
def test_show_reads_the_plan_out_of_every_format(
    ticket: Ticket, exported: Path, found: Path, name: str, format: str
) -> None:
    code, out, _ = ticket("show", exported / name)
    _, document, _ = ticket("show", exported / name, "--json")
    told = json.loads(document)
    masks = load(found / "trained.safetensors").masks
    layers = [row for row in told["operations"] if "kept" in row]

    assert code == 0
    assert (told["format"], told["bytes"]) == (format, (exported / name).stat().st_size)
    assert [row["kept"] for row in layers] == [int(mask.sum()) for mask in masks.values()]
    assert told["metadata"]["ticket"] == digest(found / "trained.safetensors")
    assert [row["op"] for row in told["operations"]] == ["reshape0", "linear1", "linear2"]
    for row in layers:
        line = next(line for line in out.splitlines() if line.startswith(row["op"]))
        assert line.split()[-2:] == [str(row["k"]), f"{row['bytes']:,}"]
    assert "linear1 + relu" in out
    assert digest(found / "trained.safetensors") in out


def test_show_says_what_dense_weights_are(ticket: Ticket, exported: Path) -> None:
    code, out, _ = ticket("show", exported / "mlp.safetensors")

    assert code == 0
    assert "no plan" in out
    assert (
        json.loads(ticket("show", exported / "mlp.safetensors", "--json")[1])["metadata"]["model"]
        == "mlp"
    )


@pytest.mark.parametrize("name", ["mlp.tkt", "mlp.pt", "mlp.pt2"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_show_of_a_cut_file_is_one_line(
    ticket: Ticket, exported: Path, tmp_path: Path, name: str, share: float
) -> None:
    data = (exported / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(share * len(data))])
    code, out, err = ticket("show", tmp_path / name)

    assert (code, out, err.count("\n")) == (1, "", 1)
    assert name in err


def test_a_zip_of_something_else_is_no_exported_file(ticket: Ticket, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("readme", "nothing of ours")
    code, _, err = ticket("show", tmp_path / "a.pt")

    assert (code, err.count("\n")) == (1, 1)
    assert "none of its members is a plan" in err


def test_flags_for_tickets_are_refused_for_exported_files(ticket: Ticket, exported: Path) -> None:
    code, _, err = ticket("show", exported / "mlp.tkt", "--layers")

    assert (code, err.count("\n")) == (2, 1)
