"""A transform that cannot be meant is refused with one clear line, and nothing is written."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import save_file

Ticket = Callable[..., tuple[int, str, str]]

MISTAKES: list[tuple[str, str]] = [
    # unrelated families, and depths that cannot be
    ("--from resnet20 --to mlp-3", "not of one family: mlp-3 has width 300, with weight 300 x 300"),
    ("--from resnet20 --to resnet18", "resnet18 has stage4, with conv1.weight 512 x 512 x 3 x 3"),
    (
        "--from resnet20 --to wrn-16-2",
        "unit 0 of stage1 of wrn-16-2 has conv1.weight 32 x 16 x 3 x 3",
    ),
    ("--from resnet20 --to net.py:net", "net.py:net has convs, with weight 4 x 4 x 3 x 3"),
    ("--from resnet20 --to resnet21", "depth 21 is not 6n + 2; the nearest are 20 and 26"),
    # networks that tell no units, or wrong ones
    ("--from net.py:net --to net.py:silent", "model 'net.py:silent' tells no units"),
    ("--from net.py:net --to net.py:wrong", "convs names the unit 'conv.1', a module without"),
    ("--from net.py:net --to net.py:gone", "net.py has no function 'gone'"),
    # other kernel sizes
    (
        "--from net.py:net --to net.py:net --set to.kernel=5",
        "'convs.0.weight' of net.py:net (convs) is 4 x",
    ),
    # explicit lists
    (
        "--from resnet20 --to resnet32 --units 'stage2: 0 1 2 1'",
        "leaves unit 4 of resnet32 without",
    ),
    ("--from resnet20 --to resnet32 --units 'stage2: 0 1 1 1 1'", "leaves out unit 2 of resnet20"),
    (
        "--from resnet20 --to resnet32 --units 'stage2: 0 1 2 3 1'",
        "names unit 3; resnet20 has 0 to 2",
    ),
    ("--from resnet20 --to resnet32 --units 'stage4: 0 1'", "'stage4', no stage of resnet32; did"),
    ("--from resnet20 --to resnet32 --units '0 1 1'", "wants lists by stage"),
    ("--from resnet20 --to resnet32 --order apend", "did you mean 'append'"),
    # what no ticket is
    ("--from flipped.safetensors --to resnet32", "flipped.safetensors is damaged"),
    ("--from cut.safetensors --to resnet32", "cut.safetensors is not a ticket, or is cut"),
    (
        "--from newer.safetensors --to resnet32",
        "has format version 2; this release reads version 1",
    ),
    ("--from net.py --to resnet32", "net.py is not a ticket"),
    ("--from gone.safetensors --to resnet32", "no file gone.safetensors"),
    ("--from trained.safetensors --to resnet32", "holds trained weights"),
    ("--from resnet44 --to resnet32", "make one with: ticket find --method lth --model resnet44"),
    ("--from empty --to resnet32", "empty holds no ticket yet"),
    # names and flags
    ("--from resnet20 --to resnt32", "did you mean 'resnet32'"),
    ("--from resnet20 --to resnet32 --dataset sinthetic", "did you mean 'synthetic'"),
    ("--from resnet20 --to resnet32 --strategy elastc", "did you mean 'elastic'"),
    ("--from resnet20 --to resnet32 --strategy ,", "--strategy wants a name"),
    ("--from resnet20 --to resnet32 --strategy elastic,elastic", "each strategy once"),
    ("--from resnet20 --to resnet32 --strategy same", "such as elastic, comes first"),
    ("--from resnet20 --to resnet32 --strategy random --order append", "no option 'order'"),
    ("--from resnet20 --to resnet32 --set shuffle.a=1", "a path starts with one of elastic, to"),
    ("--from resnet20 --to resnet32 --set order=append", "a path starts with one of elastic, to"),
    ("--from resnet20 --to resnet32 -o runs", "is a directory"),
    ("--from resnet20", "such as --to resnet56"),
    ("--from resnet20 --strategy shuffle", "no unit with a mask is repeated here"),
    ("--to resnet32", "--from"),
]


@pytest.fixture(scope="module")
def damaged(networks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the folder with files beside the runs that are no tickets to transform."""
    home = tmp_path_factory.mktemp("damaged") / "home"
    shutil.copytree(networks, home, ignore=shutil.ignore_patterns("round-*", "__pycache__"))
    path = next((home / "runs").glob("resnet20-*")) / "ticket.safetensors"
    content = bytearray(path.read_bytes())
    (home / "cut.safetensors").write_bytes(content[: len(content) // 2])
    content[-1] ^= 1
    (home / "flipped.safetensors").write_bytes(content)
    with safe_open(path, framework="pt") as file:
        record = json.loads(file.metadata()["ticket"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    newer = {"ticket": json.dumps({**record, "format": 2})}
    save_file(tensors, home / "newer.safetensors", newer)
    shutil.copy(path.with_name("trained.safetensors"), home)
    (home / "empty").mkdir()
    return home


@pytest.fixture(scope="module")
def unharmed(damaged: Path) -> dict[Path, int]:
    """Return the folder's files as they are before any command."""
    return changed(damaged)


def changed(folder: Path) -> dict[Path, int]:
    """Return when each file of a folder was changed."""
    found = (p for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc")
    return {path: path.stat().st_mtime_ns for path in found}


@pytest.mark.parametrize(("typed", "told"), MISTAKES)
def test_what_cannot_be_meant_is_one_line_and_nothing_is_written(
    ticket: Ticket,
    damaged: Path,
    unharmed: dict[Path, int],
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    told: str,
) -> None:
    monkeypatch.chdir(damaged)
    code, out, err = ticket("transform", *shlex.split(typed))

    assert code in (1, 2)
    assert (out, err.count("\n")) == ("", 1), err
    assert told in err
    assert err.startswith("Error: ")
    assert "--debug" not in err  # a refusal, not a defect
    assert changed(damaged) == unharmed
