"""`ticket transform` works as it is typed, tells on one screen what it did, and writes once."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ticket.files import digest
from ticket.tickets import load
from ticket_plugins.transforms.mapping import Order, assign

Ticket = Callable[..., tuple[int, str, str]]
HOW_TO = Path(__file__).parents[2] / "docs" / "transform.md"


@pytest.fixture
def here(networks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a copy of that folder, to type commands in."""
    home = tmp_path / "home"
    shutil.copytree(networks, home, ignore=shutil.ignore_patterns("round-*", "__pycache__"))
    monkeypatch.chdir(home)
    return home


def found(model: str = "resnet20") -> Path:
    (path,) = Path("runs").glob(f"{model}-synthetic-lth-*")
    return path


def files() -> dict[Path, tuple[int, bytes]]:
    """Return when each file below was changed, and its bytes."""
    below = (path for path in Path().rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in below}


@pytest.mark.usefixtures("here")
def test_it_works_as_typed_after_a_find(ticket: Ticket) -> None:
    code, out, err = ticket("transform", "--from", "resnet20", "--to", "resnet56")

    assert (code, err) == (0, "")
    (made,) = Path("runs").glob("resnet56-synthetic-elastic-*")
    source, result = found() / "ticket.safetensors", made / "ticket.safetensors"
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[2:4] == [
        "stage1 0 0 invariant 64.02 64.00 64.00",
        "1-2 1-2, 3-4, 5-6, 7-8 copied 64.00",
    ]
    assert "classifier.weight invariant 64.06" in lines
    assert f"from {source}" in lines
    assert "resnet20, 172,943 of 270,224 weights kept, density 64 %" in lines
    kept, prunable = load(result).kept, load(result).prunable
    assert (
        f"to resnet56, {kept:,} of {prunable:,} weights kept, density {100 * kept / prunable:.4g} %"
        in lines
    )
    assert "moved 344 of 344 tensors and 58 of 58 masks, bit for bit" in lines
    assert "start training goes on from iteration 4" in lines
    assert lines[-1] == f"Next: ticket train {made} --controls reinit,random"

    code, _, err = ticket("train", "resnet56", "--quiet")
    assert (code, err) == (0, "")
    code, out, _ = ticket("show", "resnet56", "--parent", "resnet20")
    assert code == 0
    assert "402 tensors are the parent's, bit for bit" in " ".join(out.split())


@pytest.mark.usefixtures("here")
def test_the_deepest_target_fits_one_screen(ticket: Ticket) -> None:
    flags = ("--order", "interpolate", "--plan")
    code, out, _ = ticket("transform", "--from", "resnet20", "--to", "resnet110", *flags)

    assert code == 0
    assert len(out.splitlines()) <= 45
    assert max(map(len, out.splitlines())) <= 110
    assert "1, 2, 3, 4, 5, 6, 7, 8, 9 " in out


@pytest.mark.usefixtures("here")
def test_a_plan_shows_the_same_and_writes_nothing(ticket: Ticket) -> None:
    before = files()
    flags = ("--from", "resnet20", "--to", "resnet32", "--plan")
    code, planned, _ = ticket("transform", *flags)
    assert code == 0
    assert ticket("transform", *flags, "-o", "made.safetensors")[0] == 0
    assert files() == before
    assert "nothing was written" in planned
    _, done, _ = ticket("transform", *flags[:-1])
    table, _, _ = planned.partition("Planned in")
    assert done.startswith(table)


@pytest.mark.usefixtures("here")
def test_json_tells_all_of_it(ticket: Ticket) -> None:
    flags = ("--from", "resnet20", "--to", "resnet8", "--order", "interpolate", "--json")
    code, out, err = ticket("transform", *flags)
    told = json.loads(out)
    made = load(Path(told["path"]))

    assert (code, err) == (0, "")
    assert told["from"]["sha256"] == digest(found() / "ticket.safetensors")
    assert (told["from"]["model"], told["to"]["model"]) == ("resnet20", "resnet8")
    assert (told["to"]["kept"], told["to"]["prunable"]) == (made.kept, made.prunable)
    assert told["strategies"] == [{"name": "elastic", "order": "interpolate"}]
    assert (told["seed"], told["start"]) == (0, 4)
    assert told["seconds"] < 5
    states = [(row["unit"], row["targets"], row["state"]) for row in told["plan"]["rows"]][:3]
    assert states == [(0, [0], "invariant"), (1, [], "dropped"), (2, [], "dropped")]
    stage = told["plan"]["stages"][0]
    assert (stage["stage"], stage["units"]) == ("stage1", [3, 1])
    assert told["moves"]["states"].keys() == made.state.keys()
    assert json.loads(ticket("transform", *flags, "--plan")[1])["path"] is None


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("output", [(), ("-o", "new/made.safetensors")])
def test_the_same_command_again_changes_nothing(ticket: Ticket, output: tuple[str, ...]) -> None:
    flags = ("--from", "resnet20", "--to", "resnet32", "--strategy", "elastic,shuffle", *output)
    assert ticket("transform", *flags)[0] == 0
    before = files()
    assert ticket("transform", *flags)[0] == 0
    assert files() == before
    assert bool(list(Path("runs").glob("resnet32-*"))) is (not output)


@pytest.mark.usefixtures("here")
def test_a_file_holds_what_a_folder_would(ticket: Ticket) -> None:
    flags = ("--from", str(found()), "--to", "resnet32")
    ticket("transform", *flags, "--output", "made.safetensors")
    code, out, _ = ticket("transform", *flags)
    (made,) = Path("runs").glob("resnet32-*/ticket.safetensors")

    assert code == 0
    assert digest(made) == digest(Path("made.safetensors"))
    assert ticket("show", "made.safetensors", "--parent", found())[0] == 0
    assert f" s: {made}\nNext: ticket train {made.parent} " in out


@pytest.mark.usefixtures("here")
def test_another_file_in_its_place_is_refused_unharmed(ticket: Ticket) -> None:
    Path("made.safetensors").write_text("mine")
    before = files()
    flags = ("--from", "resnet20", "--to", "resnet32", "-o", "made.safetensors")
    code, out, err = ticket("transform", *flags)

    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "made.safetensors is there and is another ticket" in err
    assert files() == before


@pytest.mark.usefixtures("here")
def test_models_are_told_step_by_step_by_name_and_shown_as_lineage(ticket: Ticket) -> None:
    for source, target in (("resnet20", "resnet32"), ("resnet32", "resnet56")):
        assert ticket("transform", "--from", source, "--to", target)[0] == 0
    code, out, _ = ticket("show", "resnet56")
    lines = [line.split() for line in out.splitlines() if line.startswith("resnet")]

    assert code == 0
    assert [line[0] for line in lines] == ["resnet20", "resnet32", "resnet56"]
    assert [line[-1] for line in lines] == ["elastic", "elastic", "ticket"]


@pytest.mark.usefixtures("here")
def test_another_data_set_has_a_new_stem_and_classifier(ticket: Ticket) -> None:
    other = ("--dataset", "synthetic", "--set", "dataset.channels=3", "--set", "dataset.classes=7")
    code, out, _ = ticket("transform", "--from", "resnet20", *other)
    lines = [" ".join(line.split()) for line in out.splitlines()]

    assert code == 0
    assert {"stem.weight new 100.00", "classifier.weight new 100.00"} <= set(lines)
    assert any(
        line.endswith("new: stem.weight, classifier.weight, classifier.bias") for line in lines
    )


@pytest.mark.usefixtures("here")
def test_options_of_elastic_have_flags_and_any_option_can_be_set(ticket: Ticket) -> None:
    def units(*flags: str) -> dict[str, list[int]]:
        code, out, err = ticket(
            "transform", "--from", "resnet20", "--to", "resnet32", "--plan", "--json", *flags
        )
        assert code == 0, err
        return dict(json.loads(out)["moves"]["units"])

    plain = [0, 1, 2, 1, 2]
    assert units() == dict.fromkeys(("stage1", "stage2", "stage3"), plain)
    assert units("--units", "stage2: 0 2 2 2 1")["stage2"] == [0, 2, 2, 2, 1]
    turned = units("--order", "stage3: reverse")
    assert (turned["stage1"], turned["stage3"]) == (plain, [0, 2, 1, 2, 1])
    assert units("--set", "elastic.order=interpolate")["stage1"] == [0, 1, 1, 2, 2]
    assert units("--to", "resnet14", "--drop", "first")["stage1"] == [0, 2]
    assert units("--strategy", "elastic,shuffle", "--order", "reverse")["stage1"] == [0, 2, 1, 2, 1]


@pytest.mark.usefixtures("here")
def test_controls_of_the_same_network_start_from_what_was_found(ticket: Ticket) -> None:
    flags = ("transform", "--from", "resnet20", "--strategy", "random", "--json")
    _, first, _ = ticket(*flags)
    _, again, _ = ticket(*flags)  # the newest ticket of resnet20 is now the random one

    assert json.loads(first)["path"] == json.loads(again)["path"]
    assert json.loads(again)["from"]["path"] == str(found() / "ticket.safetensors")


@pytest.mark.usefixtures("here")
def test_networks_of_ones_own_are_both_ends(ticket: Ticket) -> None:
    deeper = ("--from", "net.py:net", "--to", "net.py:net", "--set", "to.depth=6")
    code, out, err = ticket("transform", *deeper, "--json")

    assert (code, err) == (0, "")
    assert json.loads(out)["moves"]["units"] == {"convs": [0, 1, 2, 1, 2, 1]}
    made = json.loads(out)["path"]
    assert json.loads(ticket("transform", *deeper, "--json")[1])["path"] == made
    assert ticket("train", made, "--quiet")[0] == 0


def test_the_how_tos_python_runs_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    exec(compile(block, "transform.md", "exec"), {})

    printed = capsys.readouterr().out.splitlines()
    assert printed[2] == "width 300 1 -> (1, 2, 3, 4) copied"
    assert {path.name.rpartition("-")[0] for path in Path("runs").iterdir()} == {
        "mlp-2-digits-lth",
        "mlp-5-digits-elastic",
    }


@pytest.mark.parametrize("order", ["append", "interpolate", "reverse"])
def test_the_how_tos_table_of_orders_is_what_is_done(order: Order) -> None:
    row = next(line for line in HOW_TO.read_text().splitlines() if line.startswith(f"| `{order}`"))
    told = [tuple(map(int, cell.split())) for cell in row.split("|")[2:5]]
    assert told == [assign(s, t, order=order) for s, t in ((3, 6), (4, 7), (5, 3))]
