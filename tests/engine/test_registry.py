"""A plugin is found by its name, imported when it is asked for, and fails alone, named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ticket import registry
from ticket.errors import TicketError, UsageError
from ticket.registry import KINDS, Plugin, installed, load, named


@pytest.mark.parametrize("kind", ["criteria", "scopes", "regularizers", "optimizers", "models"])
def test_every_installed_plugin_loads_and_says_what_it_does(kind: str) -> None:
    plugins = installed(kind)
    assert plugins
    for plugin in plugins:
        name = re.sub(r"\{\w+\}", "20", plugin.name)
        assert (load(kind, name).function.__doc__ or "").strip(), name


def test_plugins_are_listed_by_name_with_their_package() -> None:
    names = [plugin.name for plugin in installed("models")]
    assert names == sorted(names)
    assert "lenet-300-100" in names
    assert {p.package for p in installed("criteria") if p.name == "magnitude"} == {"ticket"}


def test_a_name_may_hold_an_option() -> None:
    plugin, options = named("models", "resnet20")
    assert (plugin.name, options) == ("resnet{depth}", {"depth": "20"})
    assert load("models", "conv-4").options == {"depth": "4"}


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("criteria", "magnitud", r"no criterion named 'magnitud'; did you mean 'magnitude'\?"),
        ("models", "resent20", r"no model named 'resent20'; did you mean 'resnet20'\?"),
        ("models", "resnet", "no model named 'resnet'"),
        ("datasets", "mnits", r"did you mean 'mnist'\?"),
        ("recipes", "unlith", r"did you mean 'unilth'\?"),
        ("criteria", "zzz", "there are: grasp, magnitude, random, snip, synflow"),
    ],
)
def test_an_unknown_name_is_refused_with_the_closest(kind: str, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        named(kind, name)


def test_a_kind_without_plugins_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "installed", lambda kind: [])
    with pytest.raises(UsageError, match="no exporter named 'pt'; there are: none"):
        named("exporters", "pt")


def offer(monkeypatch: pytest.MonkeyPatch, *plugins: Plugin) -> None:
    monkeypatch.setattr(registry, "installed", lambda kind: list(plugins))


def test_a_name_offered_twice_is_refused_with_both_packages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offer(
        monkeypatch,
        Plugin("criteria", "twin", "one.m:f", "one", "1.0"),
        Plugin("criteria", "twin", "two.m:f", "two", "2.0"),
    )
    with pytest.raises(TicketError, match=r"one 1\.0 \(one\.m:f\), two 2\.0 \(two\.m:f\)"):
        load("criteria", "twin")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("no_such_module:f", "is broken: ModuleNotFoundError"),
        ("ticket.masks:no_such_function", "is broken: AttributeError"),
        ("ticket.ticket_file:FORMAT", "it is not a function"),
    ],
)
def test_a_broken_plugin_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, target: str, said: str
) -> None:
    offer(monkeypatch, Plugin("criteria", "ill", target, "foreign", "3.1"))
    with pytest.raises(TicketError, match=r"criterion 'ill' from foreign 3\.1 .*" + said):
        load("criteria", "ill")


def test_a_function_of_ones_own_comes_from_a_file_or_a_module(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text("def score(survey):\n    return 41 + survey\n")
    assert load("criteria", f"{file}:score").function(1) == 42
    found = load("criteria", "ticket_plugins.criteria.criteria:magnitude").function
    assert found.__name__ == "magnitude"


def test_a_file_named_like_a_module_hides_none(tmp_path: Path) -> None:
    import json

    file = tmp_path / "json.py"
    file.write_text("def make():\n    return 1\n")
    assert load("models", f"{file}:make").function() == 1
    assert json.loads("1") == 1


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("def scor(survey): ...\n", "score", "has no function 'score'; did you mean 'scor'"),
        ("1 / 0\n", "score", "cannot be imported: ZeroDivisionError"),
        ("def (\n", "score", "cannot be imported: SyntaxError"),
        ("score = 3\n", "score", "has no function 'score'"),
    ],
)
def test_ones_own_file_that_fails_is_named(tmp_path: Path, text: str, name: str, said: str) -> None:
    file = tmp_path / "own.py"
    file.write_text(text)
    with pytest.raises(TicketError, match=said):
        load("criteria", f"{file}:{name}")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        TicketError, match=r"model '.*/none\.py:make' cannot be imported: .*no file"
    ):
        load("models", f"{tmp_path}/none.py:make")


def test_every_kind_has_a_word() -> None:
    assert KINDS["criteria"] == "criterion"
    assert KINDS["datasets"] == "data set"
