"""A transform is written once, as a run that is found like any other, and nothing is written over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ticket import api
from ticket.errors import TicketError
from ticket.files import digest
from ticket.folder import Folder, read_json
from ticket.locate import locate
from ticket.tickets import load
from ticket.transforming.performing import Transformed
from ticket.transforming.writing import write_file, write_folder

Make = Callable[..., Any]


@pytest.fixture
def done(ticket_for: Make, transform: Callable[..., Transformed]) -> Transformed:
    """Return a transform of resnet14 to resnet20 that is not written yet."""
    return transform(ticket_for("resnet14"), "resnet20", [{"name": "elastic", "order": "reverse"}])


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return when each file was changed, and its bytes."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def test_a_folder_holds_ticket_configuration_and_figures(done: Transformed, tmp_path: Path) -> None:
    path = write_folder(done, tmp_path)
    folder = Folder(path.parent)
    assert path.parent.name.startswith("resnet20-synthetic-elastic-")
    assert {p.name for p in folder.path.iterdir()} == {
        *("config.yaml", "figures.json", "ticket.safetensors"),
    }
    assert load(path).identity() == done.ticket.identity() == digest(path)
    strategies = [{"name": "elastic", "order": "reverse"}]
    config = yaml.safe_load(folder.config.read_text())
    assert (config["model"], config["transform"]) == ("resnet20", strategies)
    assert config["parent"] == done.parent.identity()
    figures = read_json(folder.figures)
    (row,) = figures["rounds"]
    assert (row["kept"], row["prunable"]) == (done.ticket.kept, done.ticket.prunable)
    assert sum(row["layers"].values()) == done.ticket.kept
    assert row["trainings"] == []
    told = figures["transform"]
    assert (told["parent"], told["strategies"]) == (done.parent.identity(), strategies)
    assert told["source"]["model"] == {"name": "resnet14", "options": {}}
    assert (told["seed"], told["iterations"], told["seconds"]) == (3, 0, done.seconds)


def test_what_was_written_is_found_by_the_targets_name(done: Transformed, tmp_path: Path) -> None:
    path = write_folder(done, tmp_path)
    assert locate("resnet20", tmp_path) == path
    assert locate("resnet20", tmp_path, found=True) == path


def test_a_ticket_that_was_found_goes_before_one_that_was_transformed(
    done: Transformed, tmp_path: Path
) -> None:
    run = tmp_path / "resnet20-synthetic-lth-0123456789"
    run.mkdir()
    (run / "config.yaml").write_text("model: resnet20\n")
    done.parent.save(run / "ticket.safetensors")
    newest = write_folder(done, tmp_path)
    assert locate("resnet20", tmp_path) == newest
    assert locate("resnet20", tmp_path, found=True) == run / "ticket.safetensors"


def test_what_decides_the_ticket_decides_the_folders_name(
    ticket_for: Make, transform: Callable[..., Transformed]
) -> None:
    ticket = ticket_for("resnet14")
    names = [
        transform(ticket, "resnet20").name(),
        transform(ticket, "resnet32").name(),
        transform(ticket, "resnet20", seed=8).name(),
        transform(ticket, "resnet20", ["reinit"]).name(),
        transform(ticket, "resnet20", ["elastic", "shuffle"]).name(),
        transform(ticket, "resnet20", dataset={"name": "synthetic", "classes": 9}).name(),
        transform(ticket_for("resnet14", start=0), "resnet20").name(),
    ]
    assert len(set(names)) == len(names)
    assert names[0] == transform(ticket, "resnet20").name()
    assert names[4].startswith("resnet20-synthetic-elastic+shuffle-")


def test_the_name_of_a_strategy_of_ones_own_is_that_of_its_function(
    ticket_for: Make, transform: Callable[..., Transformed], strategy: Callable[[str], str]
) -> None:
    chain = ["elastic", strategy("return ticket")]
    name = transform(ticket_for("resnet14"), "resnet20", chain).name()
    assert name.startswith("resnet20-synthetic-elastic+mine-")


@pytest.mark.parametrize("write", [write_folder, write_file])
def test_writing_again_changes_nothing(
    done: Transformed, tmp_path: Path, write: Callable[[Transformed, Path], Path]
) -> None:
    place = tmp_path / "made"
    first = write(done, place)
    before = files(tmp_path)
    assert before
    assert write(done, place) == first
    assert files(tmp_path) == before


def test_a_folder_that_a_kill_left_half_written_is_completed(
    done: Transformed, tmp_path: Path
) -> None:
    path = write_folder(done, tmp_path)
    Folder(path.parent).figures.unlink()
    path.write_bytes(b"half")
    assert write_folder(done, tmp_path) == path
    assert Folder(path.parent).finished
    assert digest(path) == done.ticket.identity()


def test_another_ticket_in_its_place_is_refused_and_left_alone(
    done: Transformed, tmp_path: Path
) -> None:
    path = write_folder(done, tmp_path)
    done.parent.save(path)
    file = tmp_path / "other.safetensors"
    file.write_text("mine")
    before = files(tmp_path)
    with pytest.raises(TicketError, match=r"is there and is another ticket; .*--output FILE"):
        write_folder(done, tmp_path)
    with pytest.raises(TicketError, match=r"other\.safetensors is there and is another ticket"):
        write_file(done, file)
    with pytest.raises(TicketError, match="is there and is another ticket"):
        write_file(done, tmp_path)
    assert files(tmp_path) == before


def test_a_file_is_written_with_the_folders_it_lies_in(done: Transformed, tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "made.safetensors"
    assert write_file(done, path) == path
    assert load(path).identity() == done.ticket.identity()
    assert [p.name for p in path.parent.iterdir()] == ["made.safetensors"]


def test_a_refused_transform_writes_nothing(ticket_for: Make, tmp_path: Path) -> None:
    with pytest.raises(TicketError, match="not of one family"):
        api.transform(ticket_for("resnet14"), "mlp-2", runs_folder=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
