"""What tests of the command line share: a way to type a command, and a run of a second."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from ticket_cli.main import run

# A 16-8-4 network on 80 drawn images, two cuts, 20 iterations a training.
TINY = (
    *("--model", "mlp", "--set", "model.hidden=[8]"),
    *("--dataset", "synthetic", "--set", "dataset.examples=80", "--set", "dataset.size=4"),
    *("--optimizer", "sgd", "--lr", "0.1", "--batch-size", "16"),
    *("--steps", "20", "--eval-every", "5it", "--rounds", "2"),
)

# A residual network with BatchNorm, rewound to iteration 4 of 12.
LATE = (
    *("--dataset", "synthetic", "--set", "dataset.examples=80", "--batch-size", "16"),
    *("--steps", "12", "--rewind", "4it", "--rounds", "2"),
)
# A user's network, one that tells no units, and one that tells wrong ones.
NET = """
from torch import nn


class Net(nn.Module):
    def __init__(self, classes, depth, kernel):
        super().__init__()
        self.convs = nn.Sequential(
            *(nn.Conv2d(4 if unit else 1, 4, kernel, padding="same") for unit in range(depth))
        )
        self.classifier = nn.Linear(4, classes)
        self.units = {"convs": [f"convs.{unit}" for unit in range(depth)]}

    def forward(self, images):
        return self.classifier(self.convs(images).relu().mean((2, 3)))


def net(shape, classes, *, depth: int = 3, kernel: int = 3):
    return Net(classes, depth, kernel)


def silent(shape, classes):
    made = net(shape, classes)
    del made.units
    return made


def wrong(shape, classes):
    made = net(shape, classes)
    made.units = {"convs": ["convs.0", "conv.1"]}
    return made
"""


def _typed(*arguments: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def ticket() -> Callable[..., tuple[int, str, str]]:
    """Return the command: arguments in; exit code, stdout and stderr out."""
    return _typed


@pytest.fixture
def tiny() -> tuple[str, ...]:
    """Return the flags of a run that takes a second."""
    return TINY


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished UniLTH run with controls; tests change nothing in it."""
    runs = tmp_path_factory.mktemp("found") / "runs"
    flags = ("--method", "unilth", "--controls", "reinit,random", "--runs", runs, *TINY)
    code, _, err = _typed("find", *flags)
    assert code == 0, err
    return next(runs.iterdir())


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of a user's `net.py` and the runs that found tickets for it and for resnet20.

    Tests change nothing in it.
    """
    home = tmp_path_factory.mktemp("networks")
    (home / "net.py").write_text(NET)
    with contextlib.chdir(home):
        for model in ("resnet20", "net.py:net"):
            code, _, err = _typed("find", "--method", "lth", "--model", model, *LATE)
            assert code == 0, err
    return home


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, found: Path) -> Path:
    """Return a folder with `mlp.tkt`, `mlp.pt`, `mlp.pt2`, `mlp.safetensors`; tests change nothing."""
    home = tmp_path_factory.mktemp("exported")

    with contextlib.chdir(home), contextlib.redirect_stdout(io.StringIO()):
        for name in ("native", "torchscript", "pt2", "safetensors"):
            assert run(["export", str(found), "--format", name]) == 0
    return home
