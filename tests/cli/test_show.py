"""What a ticket and a folder of runs say about themselves is what the files hold."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ticket.files import digest
from ticket.tickets import Ticket as Held
from ticket.tickets import load
from ticket.transforming.lineage import all_of, ancestor

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


def child_of(parent: Path, path: Path, strategy: object = "elastic") -> Path:
    """Write a ticket made from that of the file `parent` without a change; return its file."""
    held, sha256 = load(parent), digest(parent)
    before = held.record.get("lineage", [])
    record = {
        **held.record,
        "rounds": [],
        "parent": sha256,
        "lineage": [*before, ancestor(held, sha256, [strategy], 0)],
        "moves": all_of(held),
    }
    Held(held.masks, held.state, record).save(path)
    return path


def altered(path: Path, name: str) -> Path:
    """Change one kept weight of the ticket in a file, and write it beside."""
    held = load(path)
    state = {n: t.clone() for n, t in held.state.items()}
    state[name][held.masks[name]] += 1
    other = path.with_name(f"altered-{path.name}")
    Held(held.masks, state, held.record).save(other)
    return other


def test_show_tells_the_ancestors_oldest_first_and_the_ticket_last(
    ticket: Ticket, found: Path, tmp_path: Path
) -> None:
    first = found / "ticket.safetensors"
    second = child_of(first, tmp_path / "second.safetensors")
    third = child_of(second, tmp_path / "third.safetensors", {"name": "elastic", "order": "append"})
    _, out, _ = ticket("show", third)
    spent = sum(
        t["iterations"]
        for r in json.loads((found / "figures.json").read_text())["rounds"][:-1]
        for t in r["trainings"]
    )
    density = f"{100 * load(first).density:.2f}"
    lines = [line.split() for line in out.splitlines() if "mlp (hidden [8])  " in line]

    assert [(*line[-4:-2], line[-2], line[-1]) for line in lines[:1]] == [
        (density, str(spent), digest(first)[:10], "elastic")
    ]
    assert f" {digest(second)[:10]}   elastic (order append)" in out
    assert lines[-1][-5:] == [density, "0", digest(third)[:10], "this", "ticket"]
    assert [" unilth " in line for line in out.splitlines() if "mlp (hidden [8])  " in line] == [
        True,
        False,
        False,
    ]


def test_show_of_a_found_ticket_has_no_lineage(ticket: Ticket, found: Path) -> None:
    assert "lineage" not in ticket("show", found)[1]


def test_show_checks_a_ticket_against_its_parent(
    ticket: Ticket, found: Path, tmp_path: Path
) -> None:
    child = child_of(found / "ticket.safetensors", tmp_path / "child.safetensors")
    held = load(child)
    code, out, err = ticket("show", child, "--parent", found)
    _, document, _ = ticket("show", child, "--parent", found, "--json")

    assert (code, err) == (0, "")
    assert f"{len(held.state) + len(held.masks)} tensors are the parent's, bit for bit" in out
    assert json.loads(document)["check"] == {
        "path": str(found / "ticket.safetensors"),
        "sha256": digest(found / "ticket.safetensors"),
        "recorded": digest(found / "ticket.safetensors"),
        "equal": [f"state.{n}" for n in held.state] + [f"mask.{n}" for n in held.masks],
        "different": [],
        "own": [],
    }


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_tensor_that_is_not_the_parents_is_named_and_fails_the_check(
    ticket: Ticket, found: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    child = child_of(found / "ticket.safetensors", tmp_path / "child.safetensors")
    code, out, err = ticket("show", altered(child, "fc1.weight"), "--parent", found, *flags)

    assert (code, err.count("\n")) == (3, 1)
    assert "tensors that differ: 1" in err
    if flags:
        assert json.loads(out)["check"]["different"] == ["state.fc1.weight"]
    else:
        assert out.splitlines()[-1].split() == ["state.fc1.weight"]


def test_another_file_than_the_recorded_parent_fails_the_check_and_the_right_one_is_named(
    ticket: Ticket, found: Path, tmp_path: Path
) -> None:
    child = child_of(found / "ticket.safetensors", tmp_path / "child.safetensors")
    other = child_of(found / "ticket.safetensors", tmp_path / "other.safetensors")
    code, out, err = ticket("show", child, "--parent", other, "--runs", found.parent)

    assert (code, err.count("\n")) == (3, 1)
    assert "NOT the recorded parent" in out
    assert f"that is {found / 'ticket.safetensors'}" in err
    assert "differ" not in err  # every tensor is the same; only the file is another


def test_a_ticket_without_a_parent_cannot_be_checked(ticket: Ticket, found: Path) -> None:
    code, _, err = ticket("show", found, "--parent", found)

    assert (code, err.count("\n")) == (2, 1)
    assert "has no parent" in err


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
