"""`ticket bench` races what is there, names what is not, and says what it measured."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ticket import kernels

Ticket = Callable[..., tuple[int, str, str]]
QUICK = ("--seconds", "0.001")

pytestmark = pytest.mark.skipif(
    not kernels.describe().compiled, reason="exported files need the compiled operators"
)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, found: Path) -> tuple[Path, ...]:
    """Return one network as `mlp.tkt` (that takes pixels), `mlp.pt` and `mlp.pt2`."""
    home = tmp_path_factory.mktemp("files")
    from ticket_cli.main import run

    with contextlib.chdir(home), contextlib.redirect_stdout(io.StringIO()):
        assert run(["export", str(found), "--normalize"]) == 0
        assert run(["export", str(found), "-f", "torchscript"]) == 0
        assert run(["export", str(found), "-f", "pt2"]) == 0
    return home / "mlp.tkt", home / "mlp.pt", home / "mlp.pt2"


def test_every_file_and_engine_is_timed_for_every_batch_and_number_of_threads(
    ticket: Ticket, files: tuple[Path, ...], found: Path
) -> None:
    flags = ("--ticket", found, "--against", "eager", "--batch", "1,3", "--threads", "1,2")
    code, out, err = ticket("bench", *files, *flags, *QUICK, "--json")
    rows = json.loads(out)["rows"]
    kinds: dict[tuple[int, int], list[str]] = {}
    for row in rows:
        kinds.setdefault((row["batch"], row["threads"]), []).append(row["kind"])

    assert (code, err) == (0, "")
    assert set(kinds) == {(1, 1), (3, 1), (1, 2), (3, 2)}
    assert all(names == ["native", "torchscript", "pt2", "dense"] for names in kinds.values())
    for row in rows:
        assert 0 < row["p10_seconds"] <= row["median_seconds"] <= row["p90_seconds"]
        assert row["images_per_second"] == pytest.approx(row["batch"] / row["median_seconds"])
        assert row["difference"] <= 1e-4  # the same network on the same images, pixels or not


def test_the_table_compares_with_the_fastest_dense_engine(
    ticket: Ticket, files: tuple[Path, ...], found: Path
) -> None:
    code, out, _ = ticket("bench", files[0], "--ticket", found, "--batch", "2", *QUICK)
    rows = [line.split() for line in out.splitlines() if line.startswith("2 ")]

    assert code == 0
    assert [row[2] for row in rows] == [str(files[0]), "eager", "torchscript"]
    assert max(float(row[-1]) for row in rows[1:]) == 1.0


def test_a_file_is_timed_without_a_ticket(ticket: Ticket, files: tuple[Path, ...]) -> None:
    code, out, _ = ticket("bench", files[0], "--batch", "1", *QUICK)

    assert code == 0
    assert "dense" not in out


def test_an_engine_that_is_not_installed_is_named_and_the_others_race(
    ticket: Ticket, files: tuple[Path, ...], found: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticket.benching.dense.find_spec", lambda name: None)
    engines = "onnxruntime,openvino,deepsparse,eager"
    flags = ("--ticket", found, "--against", engines, "--batch", "1", *QUICK)
    code, out, _ = ticket("bench", files[0], *flags)

    assert code == 0
    for name in ("onnxruntime", "openvino", "deepsparse"):
        assert f"left out: {name}: not installed; pip install {name}" in out
    assert " eager " in out


def test_an_engine_that_fails_is_named_with_its_reason(
    ticket: Ticket, files: tuple[Path, ...], found: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("no such layer\nand more")

    monkeypatch.setattr("ticket.benching.bench.ENGINES", {"eager": broken})
    flags = ("--ticket", found, "--against", "eager", "--batch", "1", *QUICK)
    code, out, _ = ticket("bench", files[0], *flags)

    assert code == 0
    assert "left out: eager: RuntimeError: no such layer\n" in out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--against", "egaer"), "did you mean 'eager'"),
        (("--against", "eager"), "--ticket"),
        (("--batch", "1,x"), "--batch wants numbers"),
        (("--threads", "0"), "--threads wants numbers"),
        (("--ticket", "nothing"), "no ticket for 'nothing'"),
    ],
)
def test_a_wrong_flag_is_one_line(
    ticket: Ticket, files: tuple[Path, ...], flags: tuple[str, ...], said: str
) -> None:
    code, out, err = ticket("bench", files[0], *flags)

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_a_file_of_something_else_is_one_line(ticket: Ticket, found: Path, tmp_path: Path) -> None:
    for path in (found / "trained.safetensors", tmp_path / "none.tkt"):
        code, out, err = ticket("bench", path)

        assert (code, out, err.count("\n")) == (1, "", 1)
        assert str(path) in err


def test_a_file_that_torch_cannot_load_is_one_line(
    ticket: Ticket, files: tuple[Path, ...], tmp_path: Path
) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("data/0", files[0].read_bytes())  # a plan, and nothing that calls it
    code, out, err = ticket("bench", tmp_path / "a.pt", *QUICK)

    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "does not load" in err


def test_files_that_take_other_images_do_not_race(
    ticket: Ticket, files: tuple[Path, ...], networks: Path, tmp_path: Path
) -> None:
    run = next(path for path in (networks / "runs").iterdir() if path.name.startswith("resnet20-"))
    other = tmp_path / "other.tkt"
    assert ticket("export", run, "-o", other)[0] == 0
    code, _, err = ticket("bench", files[0], other)

    assert (code, err.count("\n")) == (2, 1)
    assert "race files that take the same" in err
