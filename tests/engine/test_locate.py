"""What a user types finds one ticket: a file, a run's folder, or the newest for a model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ticket.errors import UsageError
from ticket.locate import locate


def run(
    runs: Path, name: str, model: str, *, when: int, trained: bool = False, extra: str = ""
) -> Path:
    folder = runs / name
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"model: {model}\n{extra}")
    for file in ["ticket.safetensors"] + ["trained.safetensors"] * trained:
        (folder / file).write_bytes(b"")
        os.utime(folder / file, (when, when))
    return folder


def test_a_file_is_itself(tmp_path: Path) -> None:
    file = tmp_path / "any.safetensors"
    file.write_bytes(b"")
    assert locate(str(file), tmp_path / "runs") == file


def test_a_run_means_its_ticket_or_the_trained_one(tmp_path: Path) -> None:
    folder = run(tmp_path, "mlp-digits-lth-0", "mlp", when=1, trained=True)
    assert locate(str(folder), tmp_path) == folder / "ticket.safetensors"
    assert locate(str(folder), tmp_path, trained=True) == folder / "trained.safetensors"
    (folder / "trained.safetensors").unlink()
    assert locate(str(folder), tmp_path, trained=True) == folder / "ticket.safetensors"


def test_a_models_name_means_its_newest_ticket(tmp_path: Path) -> None:
    run(tmp_path, "mlp-digits-lth-0", "mlp", when=1)
    newest = run(tmp_path, "mlp-mnist-unilth-1", "{name: mlp, hidden: [8]}", when=3)
    run(tmp_path, "mlp-digits-lth-2", "mlp", when=2)
    assert locate("mlp", tmp_path) == newest / "ticket.safetensors"


def test_a_model_whose_name_only_begins_so_is_another(tmp_path: Path) -> None:
    run(tmp_path, "conv-2-cifar10-lth-0", "conv-2", when=1)
    with pytest.raises(UsageError, match="no ticket for 'conv'"):
        locate("conv", tmp_path)


def test_a_run_set_aside_is_not_found(tmp_path: Path) -> None:
    run(tmp_path, "mlp-digits-lth-0.old-1", "mlp", when=9)
    older = run(tmp_path, "mlp-digits-lth-0", "mlp", when=1)
    assert locate("mlp", tmp_path) == older / "ticket.safetensors"


def test_a_function_of_ones_own_is_found_by_its_path(tmp_path: Path) -> None:
    folder = run(tmp_path, "make-digits-lth-0", "own/net.py:make", when=1)
    assert locate("own/net.py:make", tmp_path) == folder / "ticket.safetensors"


def test_an_unfinished_run_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "mlp-digits-lth-0").mkdir()
    with pytest.raises(UsageError, match="holds no ticket yet; the command that began the run"):
        locate(str(tmp_path / "mlp-digits-lth-0"), tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "resnet20",
            "no ticket for 'resnet20' in .*; make one with: ticket find --method lth --model resnet20",
        ),
        ("gone/run", "no file gone/run"),
        ("gone.safetensors", "no file gone.safetensors"),
    ],
)
def test_a_ticket_that_is_not_there_says_how_to_make_one(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        locate(text, tmp_path)
