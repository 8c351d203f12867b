"""What cannot be meant is refused with one clear line, before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Ticket = Callable[..., tuple[int, str, str]]

FIVE_MISTAKES = """
rate: 2
scop: global
rounds: 1
round:
  - trian
  - train: {lr: fast}
  - mark: {criterion: {name: magnitude, power: 2}}
  - cut
final:
  - train
"""


@pytest.fixture
def refused(ticket: Ticket, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Return a function that types `ticket find ...`, and checks that nothing has come of it."""

    def find(*flags: object) -> tuple[int, str]:
        code, out, err = ticket("find", "--runs", tmp_path / "runs", *flags)
        assert out == ""
        assert err.startswith("Error: ")
        assert not (tmp_path / "runs").exists()
        return code, err

    return find


@pytest.mark.parametrize("sparsity", ["0", "1", "1.5", "-1", "nan"])
def test_a_sparsity_outside_0_to_1_is_refused(
    refused: Callable[..., tuple[int, str]], sparsity: str
) -> None:
    code, err = refused("--method", "lth", "--sparsity", sparsity)

    assert (code, err.count("\n")) == (2, 1)
    assert f"--sparsity wants a number between 0 and 1, both excluded, got {sparsity}" in err


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ([], "--method unilth"),
        (["--method", "lht"], "did you mean 'lth'?"),
        (["--method", "gone.yaml"], "no recipe file gone.yaml"),
        (["--method", "lth", "--model", "lenet-300-10"], "did you mean 'lenet-300-100'?"),
        (["--method", "lth", "--model", "resent20"], "did you mean 'resnet20'?"),
        (["--method", "lth", "--dataset", "digts"], "did you mean 'digits'?"),
        (["--method", "lth", "--optimizer", "adma"], "did you mean 'adam'?"),
        (["--method", "lth", "--controls", "reinti"], "did you mean 'reinit'?"),
        (["--method", "lth", "--scope", "globl"], "did you mean 'global'?"),
        (["--method", "lth", "--set", "recipe.scop=global"], "did you mean 'scope'?"),
        (["--method", "lth", "--set", "training"], "--set wants FIELD=VALUE"),
        (["--method", "lth", "--set", "trainin.lr=1"], "a path starts with"),
        (["--method", "lth", "--set", "model.hiden=3"], "no option 'hiden'"),
        (["--method", "lth", "--lr", "-1"], "lr wants a number"),
        (["--method", "lth", "--rate", "1.5"], "rate wants a number in (0, 1)"),
        (["--method", "lth", "--rewind", "5x"], "wants a length such as 500it"),
        (["--method", "dense", "--rewind", "5it"], "rewinds nothing"),
        (["--method", "lth-rewind", "--rewind", "300it"], "is past the end: the training has 300"),
        (["--method", "kd", "--teacher", "a.safetensors"], "no file a.safetensors"),
        (
            ["--method", "kd", "--set", "recipe.final.0.train.loss.mixture=2"],
            "mixture wants a number",
        ),
        (["--method", "kd", "--set", "recipe.final.0.train.until=50%"], "nothing goes on with it"),
        (["--method", "lth-basis", "--set", "recipe.basis.block=7"], "does not fit an axis of 300"),
        (["--method", "synflow", "--set", "recipe.basis=dct"], "use the canonical basis"),
        (["--method", "random-erk", "--sparsity", "0.99999"], "would lose every weight"),
        (["--method", "lth", "--rounds", "3", "--sparsity", "0.9"], "do not reach sparsity 0.9"),
        (["--method", "lth", "--density", "2"], "--density wants a number between 0 and 1"),
        (["--method", "lth", "--density", "0.1", "--sparsity", "0.9"], "give one"),
        (["--method", "lth", "--epochs", "1", "--steps", "9"], "--epochs and --steps"),
        (["--method", "lth", "--control-rounds", "3"], "--controls"),
        (["--method", "lth", "--controls", "reinit", "--control-rounds", "a"], "such as 7,9,12"),
        (["--method", "lth", "--device", "gpu"], "device 'gpu' cannot be used"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_what_would(
    refused: Callable[..., tuple[int, str]], flags: list[str], told: str
) -> None:
    code, err = refused(*flags)

    assert (code, err.count("\n")) == (2, 1)
    assert told in err


def test_a_control_at_a_round_that_does_not_come_is_refused_before_the_first(
    ticket: Ticket, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    flags = ("--controls", "reinit", "--control-rounds", "3", "--runs", tmp_path, *tiny)
    code, out, err = ticket("find", "--method", "lth", *flags)

    assert (code, out) == (2, "")
    assert "this run has rounds 0 to 2" in err


@pytest.mark.parametrize(
    ("control", "told"),
    [
        ("shuffle", "no unit with a mask is repeated here"),
        ("copy-and-snip", "no unit with a mask is repeated here"),
        ("rst", "a transform that trains cannot be a control"),
    ],
)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_control_that_cannot_be_made_is_refused_before_anything_trains(
    refused: Callable[..., tuple[int, str]],
    tiny: tuple[str, ...],
    control: str,
    told: str,
    dry: tuple[str, ...],
) -> None:
    code, err = refused("--method", "lth", "--controls", f"reinit,{control}", *dry, *tiny)

    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith(f"Error: control '{control}' cannot be made of this ticket: ")
    assert told in err


def test_all_mistakes_of_a_recipe_are_told_at_once(
    refused: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(FIVE_MISTAKES)
    code, err = refused("--method", recipe)

    assert code == 2
    assert err.startswith("Error: 5 mistakes:\n")
    for told in ("rate wants", "'scop'", "'trian'; did you mean 'train'?", "lr wants", "'power'"):
        assert told in err


@pytest.mark.parametrize("text", ["[1", "- a", "just words"])
def test_a_recipe_file_that_is_none_is_refused(ticket: Ticket, tmp_path: Path, text: str) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(text)
    code, _, err = ticket("find", "--method", recipe)

    assert (code in (1, 2), err.count("\n")) == (True, 1)
    assert "mine.yaml" in err


def test_missing_data_is_an_error_that_names_the_remedy(
    refused: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    code, err = refused("--method", "lth", "--dataset", "mnist", "--data", tmp_path)

    assert (code, err.count("\n")) == (1, 1)
    assert "ticket data fetch mnist" in err


def test_distributed_training_is_refused_until_it_is_there(
    refused: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    code, err = refused("--method", "lth")

    assert code == 2
    assert "without torchrun" in err


def test_weights_that_are_none_are_refused(
    refused: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    wrong = tmp_path / "weights.pt"
    wrong.write_text("no weights")
    code, err = refused("--method", "lth", "--weights", wrong)

    assert (code, err.count("\n")) == (1, 1)
    assert str(wrong) in err


def test_a_configuration_beside_a_method_is_refused(
    refused: Callable[..., tuple[int, str]], found: Path
) -> None:
    code, err = refused("--method", "lth", "--config", found / "config.yaml")

    assert code == 2
    assert "not both" in err
