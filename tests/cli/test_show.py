"""What a ticket and a folder of runs say about themselves is what the files hold."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ticket.files import digest
from ticket.tickets import load

Ticket = Callable[..., tuple[int, str, str]]


def test_show_gives_exact_counts_and_where_the_ticket_comes_from(
    ticket: Ticket, found: Path
) -> None:
    path = found / "ticket.safetensors"
    code, out, _ = ticket("show", found)
    held = load(path)

    assert code == 0
    assert f"kept      {held.kept} of {held.prunable} prunable weights" in out
    assert "mlp (hidden [8])" in out
    assert "unilth: UniLTH" in out
    assert digest(path) in out


def test_show_lists_the_layers_with_what_each_keeps(ticket: Ticket, found: Path) -> None:
    _, out, _ = ticket("show", found, "--layers")
    held = load(found / "ticket.safetensors")
    rows = {line.split()[0]: line for line in out.splitlines() if ".weight" in line}

    assert list(rows) == list(held.masks)
    for name, mask in held.masks.items():
        assert f" {int(mask.sum())} " in rows[name]
        assert " x ".join(map(str, mask.shape)) in rows[name]


def test_show_as_json_is_the_record(ticket: Ticket, found: Path) -> None:
    _, out, _ = ticket("show", found / "trained.safetensors", "--json")
    record = json.loads(out)

    assert record["trained"] is True
    assert record["kept"] == {
        n: int(m.sum()) for n, m in load(found / "ticket.safetensors").masks.items()
    }


def test_ls_tells_finished_unfinished_and_set_aside_runs_newest_first(
    ticket: Ticket, found: Path, tmp_path: Path
) -> None:
    for name in (found.name, f"{found.name}.old-1", "half"):
        shutil.copytree(found, tmp_path / name)
    (tmp_path / "half" / "figures.json").unlink()
    (tmp_path / "no-run").mkdir()
    _, out, _ = ticket("ls", "--runs", tmp_path, "--json")
    states = {Path(run["path"]).name: run["state"] for run in json.loads(out)}
    times = [run["changed"] for run in json.loads(out)]

    assert states == {
        found.name: "finished",
        f"{found.name}.old-1": "set aside",
        "half": "unfinished",
    }
    assert times == sorted(times, reverse=True)


def test_ls_shows_density_and_test_accuracy_of_the_ticket(ticket: Ticket, found: Path) -> None:
    _, out, _ = ticket("ls", "--runs", found.parent)
    end = json.loads((found / "figures.json").read_text())["rounds"][-1]
    line = next(line for line in out.splitlines() if line.startswith(found.name))

    assert f"{100 * end['density']:.2f} %" in line
    assert f"{100 * end['trainings'][-1]['end']['test_accuracy']:.2f} %" in line


def test_ls_lists_a_run_that_cannot_be_read(ticket: Ticket, tmp_path: Path) -> None:
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "config.yaml").write_text("{")
    code, out, _ = ticket("ls", "--runs", tmp_path)

    assert code == 0
    assert "unreadable" in out


def test_ls_of_an_empty_folder_says_how_to_begin(ticket: Ticket, tmp_path: Path) -> None:
    assert "ticket find" in ticket("ls", "--runs", tmp_path)[1]


def test_ls_needs_no_torch(found: Path) -> None:
    code = (
        "import sys; from ticket_cli.main import run; "
        f"code = run(['ls', '--runs', {str(found.parent)!r}]); "
        "sys.exit(code or 'torch' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
