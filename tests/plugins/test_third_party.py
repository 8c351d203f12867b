"""Anybody's plugin works as ours do; a broken or clashing one fails alone, when it is asked for."""

import json
import os
import pydoc
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ticket.registry import KINDS, installed
from ticket.tickets import Ticket, load
from ticket_cli.main import run

README = Path(__file__).parents[2] / "plugins" / "README.md"
NEIGHBOUR = Path(__file__).parent / "packages" / "neighbour"
FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)

TINY = ("--model", "mlp", "--dataset", "synthetic", "--steps", "40", "--rounds", "1", "--quiet")
RECIPE = """
scope: global
round: [train, mark: {criterion: CRITERION}, cut, rewind]
final: [train]
"""


@dataclass(frozen=True)
class Said:
    """Hold what a command has left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


def readme_files() -> dict[str, str]:
    """Return the files that the README prints: each names itself in its first line."""
    blocks = [body for kind, body in FENCE.findall(README.read_text()) if kind != "sh"]
    return {body.partition("\n")[0].removeprefix("# "): body for body in blocks}


def readme_commands() -> list[list[str]]:
    """Return the lines of each of the README's shell blocks."""
    blocks = [body for kind, body in FENCE.findall(README.read_text()) if kind == "sh"]
    return [str(body).splitlines() for body in blocks]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the neighbour and the README's packages, as pip installs them, in a folder apart."""
    sources = tmp_path_factory.mktemp("sources")  # setuptools writes beside what it builds
    shutil.copytree(NEIGHBOUR, sources / "neighbour")
    for name, text in readme_files().items():
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        (sources / name).write_text(text)
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    alone = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(folder)]
    packages = [str(sources / name) for name in ("neighbour", "ticket-relative", "ticket-mirror")]
    subprocess.run([*pip, *alone, *packages], check=True)
    return folder


@pytest.fixture
def shell(site: Path, tmp_path: Path) -> Command:
    """Return the command line in a process of its own, with the packages of `site` installed."""

    def command(*arguments: str) -> Said:
        line = [sys.executable, "-c", "from ticket_cli.main import main; main()", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(site)}
        done = subprocess.run(
            line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        return Said(done.returncode, done.stdout, done.stderr)

    return command


@pytest.fixture
def here(
    site: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Return the command line in this process, which saves the seconds that torch takes to load."""
    monkeypatch.syspath_prepend(site)
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> Said:
        code = run(arguments)
        return Said(code, *capsys.readouterr())

    return command


def find(command: Command, criterion: str) -> Said:
    """Find a ticket on drawn data by a recipe of one's own that marks by this criterion."""
    Path("recipe.yaml").write_text(RECIPE.replace("CRITERION", criterion))
    return command("find", "--method", "./recipe.yaml", *TINY, "--json")


def find_resnet(command: Command) -> Ticket:
    """Find a ticket of resnet20 on drawn data and return it."""
    short = ("--dataset", "synthetic", "--set", "dataset.examples=80", "--batch-size", "16")
    flags = ("--model", "resnet20", *short, "--steps", "4", "--rounds", "1", "--quiet", "--json")
    return load(Path(only_finding(command("find", "--method", "lth", *flags))["ticket"]))


def only_finding(said: Said) -> dict[str, Any]:
    """Return the one finding of `ticket find --json`."""
    assert said.code == 0, said.err
    (found,) = json.loads(said.out)["findings"]
    return dict(found)


def listed(said: Said, name: str, package: str) -> dict[str, str]:
    """Return what `ticket plugins --json` says of one plugin."""
    plugins = json.loads(said.out)
    (found,) = [p for p in plugins if (p["name"], p["package"]) == (name, package)]
    return dict(found)


@pytest.mark.slow
def test_a_strangers_criterion_finds_a_ticket(here: Command) -> None:
    theirs = load(Path(only_finding(find(here, "{name: noisy, noise: 0}"))["ticket"])).masks
    ours = load(Path(only_finding(find(here, "magnitude"))["ticket"])).masks
    # Without noise the stranger's scores are |w|: both must keep the very same weights.
    assert all(bool((theirs[name] == ours[name]).all()) for name in ours)
    noisy = load(Path(only_finding(find(here, "{name: noisy, noise: 1}"))["ticket"])).masks
    assert any(bool((noisy[name] != ours[name]).any()) for name in ours)


def test_a_strangers_option_is_checked_like_ours(here: Command) -> None:
    said = find(here, "{name: noisy, noise: -1}")
    assert said.code == 2
    assert "criterion 'noisy': noise wants a number in [0, inf], got -1" in said.err


@pytest.mark.parametrize(
    ("name", "place", "reason"),
    [
        ("unlucky", "neighbour.broken:unlucky", "libluck.so.3: cannot open shared object file"),
        ("forgotten", "neighbour.good:forgotten", "has no attribute 'forgotten'"),
    ],
)
def test_a_broken_plugin_fails_alone_with_its_package_and_module(
    here: Command, name: str, place: str, reason: str
) -> None:
    said = find(here, name)
    assert said.code in (1, 2)
    assert len(said.err.strip().splitlines()) == 1
    assert f"criterion '{name}' from neighbour 2.5 ({place}) is broken" in said.err
    assert reason in said.err


def test_a_clashing_plugin_is_refused_when_it_is_asked_for(here: Command) -> None:
    said = find(here, "random")
    assert said.code in (1, 2)
    assert len(said.err.strip().splitlines()) == 1
    assert "neighbour 2.5 (neighbour.clashing:random)" in said.err
    assert "(ticket_plugins.criteria.criteria:random)" in said.err
    # Its place in place of its name says which one is meant.
    assert find(here, "neighbour.clashing:random").code == 0


def test_a_misspelt_plugin_is_answered_with_the_closest_name(here: Command) -> None:
    said = find(here, "nosy")
    assert said.code == 2
    assert "no criterion named 'nosy'; did you mean 'noisy'?" in said.err


def test_a_list_of_plugins_shows_the_broken_ones_and_imports_none(shell: Command) -> None:
    said = shell("plugins", "criteria", "--json")
    assert said.code == 0, said.err
    assert listed(said, "unlucky", "neighbour")["problem"] == ""
    good = listed(said, "noisy", "neighbour")
    assert (good["version"], good["options"]) == ("2.5", "noise=0.1")
    assert good["summary"] == "Score by |w| + noise * u, with u uniform in [0, 1)."


def test_a_check_of_the_plugins_names_the_broken_ones(here: Command) -> None:
    said = here("plugins", "criteria", "--check", "--json")
    assert said.code == 1
    broken = {(p["name"], p["package"]) for p in json.loads(said.out) if p["problem"]}
    assert broken == {
        ("unlucky", "neighbour"),
        ("forgotten", "neighbour"),
        ("random", "neighbour"),  # a name that two packages offer names neither
        ("random", "ticket"),
    }
    assert "neighbour.broken:unlucky" in listed(said, "unlucky", "neighbour")["problem"]


@pytest.mark.slow
def test_the_readmes_example_works_as_it_is_printed(here: Command, shell: Command) -> None:
    pip, check, command = readme_commands()[0]
    assert pip == "pip install ./ticket-relative"
    said = here(*check.split()[1:], "--json")
    assert listed(said, "relative", "ticket-relative")["problem"] == ""
    assert listed(said, "lth-relative", "ticket-relative")["problem"] == ""
    rounds = only_finding(shell(*command.split()[1:], "--quiet", "--json"))["rounds"]
    assert [r["kept"] for r in rounds] == [50_200, 40_160, 32_128, 25_702]  # 20 % a round


@pytest.mark.slow
def test_the_readmes_strategy_works_as_it_is_printed(here: Command) -> None:
    pip, check, command = readme_commands()[1]
    assert pip == "pip install ./ticket-mirror"
    told = listed(here(*check.split()[1:], "--json"), "mirror", "ticket-mirror")
    assert (told["problem"], told["options"]) == ("", "weights='move'")
    assert told["summary"].startswith("Walk the units of each stage there and back")

    source = find_resnet(here)
    done = here(*command.split()[1:], "--json")
    assert done.code == 0, done.err
    walk = [0, 1, 2, 2, 1, 1, 2, 2, 1]
    moved = json.loads(done.out)["moves"]
    assert moved["units"] == dict.fromkeys(("stage1", "stage2", "stage3"), walk)
    made = load(Path(json.loads(done.out)["path"]))
    assert len(moved["states"]) == len(made.state)
    for unit, origin in enumerate(walk):
        for part in ("conv1.weight", "norm2.running_var"):
            theirs = source.state[f"stages.2.{origin}.{part}"]
            assert bool((made.state[f"stages.2.{unit}.{part}"] == theirs).all())
    assert "mirror" in Path(json.loads(done.out)["path"]).parent.name
    assert here("show", "resnet56", "--parent", "resnet20").code == 0


def test_a_strangers_strategy_has_options_refusals_and_a_place_in_a_chain(here: Command) -> None:
    find_resnet(here)
    line = ("transform", "--from", "resnet20", "--strategy")
    drawn = json.loads(
        here(*line, "mirror", "--to", "resnet32", "--weights", "reinit", "--json").out
    )
    assert drawn["moves"]["states"] == {}
    assert drawn["start"] == 0
    chained = here(*line, "mirror,shuffle", "--to", "resnet32", "--json")
    assert json.loads(chained.out)["strategies"] == ["mirror", "shuffle"]
    for flags, told in (
        (("mirror", "--to", "resnet32", "--weights", "keep"), "'mirror': weights wants move or"),
        (("mirror", "--to", "resnet32", "--order", "append"), "'mirror' has no option 'order'"),
        (("mirror", "--to", "mlp-3"), "resnet20 and mlp-3 are not of one family"),
        (("miror", "--to", "resnet32"), "no transform named 'miror'; did you mean 'mirror'?"),
    ):
        said = here(*line, *flags)
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
        assert told in said.err


@pytest.mark.slow
def test_the_readmes_network_works_as_it_is_printed(here: Command) -> None:
    Path("net.py").write_text(readme_files()["net.py"])
    found, command = readme_commands()[2]
    assert here(*found.split()[1:], "--quiet").code == 0
    done = here(*command.split()[1:], "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["moves"]["units"] == {"hidden": [0, 1, 2, 1, 2, 1]}
    made = load(Path(json.loads(done.out)["path"]))
    assert made.state["hidden.5.1.running_var"].shape == (32,)


def test_the_readmes_table_names_every_kind_and_where_it_is_documented() -> None:
    lines = [x for x in README.read_text().splitlines() if x.startswith("| `ticket.")]
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]
    groups = {row[0].removeprefix("ticket.") for row in rows}
    assert {kind for kind in KINDS if installed(kind)} <= groups <= KINDS.keys()
    for row in rows:
        for name in row[3].split("`, `"):
            assert pydoc.locate(name) is not None, name
