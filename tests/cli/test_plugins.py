"""`ticket plugins` lists what is installed without importing it, and finds what is broken."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ticket.registry import KINDS, Plugin, installed, load
from ticket.values import options_of
from ticket_cli.signatures import signature_of

Ticket = Callable[..., tuple[int, str, str]]
FUNCTIONS = [p for kind in KINDS if kind != "recipes" for p in installed(kind)]


def test_every_plugin_is_listed_with_its_package_and_what_it_does(ticket: Ticket) -> None:
    code, out, _ = ticket("plugins", "--json")
    listed = json.loads(out)

    assert code == 0
    assert [(p["kind"], p["name"]) for p in listed] == [
        (p.kind, p.name) for kind in KINDS for p in installed(kind)
    ]
    assert all(p["summary"] and p["version"] for p in listed if p["package"] == "ticket")


def test_nothing_is_imported_to_list_them() -> None:
    code = (
        "import sys; from ticket_cli.main import run; code = run(['plugins']); "
        "sys.exit(code or bool({'torch', 'ticket_plugins'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


@pytest.mark.parametrize("plugin", FUNCTIONS, ids=lambda p: f"{p.kind}-{p.name}")
def test_the_options_read_from_the_source_are_those_of_the_function(plugin: Plugin) -> None:
    function = load(plugin.kind, re.sub(r"\{\w+\}", "20", plugin.name)).function
    signature = signature_of(plugin)
    assert signature is not None
    named = [part.split("=")[0] for part in signature.options.split(", ") if "=" in part]
    hidden = [name for name in options_of(function) if f"{{{name}}}" in plugin.name]

    assert named == [name for name in options_of(function) if name not in hidden]


def test_check_passes_on_what_ships_with_ticket(ticket: Ticket) -> None:
    code, out, _ = ticket("plugins", "--check", "--json")

    assert [p["problem"] for p in json.loads(out) if p["package"] == "ticket"] == [""] * (
        sum(p["package"] == "ticket" for p in json.loads(out))
    )
    assert code == 0


def test_check_names_a_broken_plugin_and_exits_with_1(
    ticket: Ticket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "broken_kit-1.2.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-kit\nVersion: 1.2\n")
    (package / "entry_points.txt").write_text("[ticket.criteria]\nhessian = broken_kit:hessian\n")
    (tmp_path / "broken_kit.py").write_text("import not_installed_anywhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    code, out, _ = ticket("plugins", "criteria", "--check")
    listed = ticket("plugins", "criteria")

    assert code == 1
    assert "broken-kit 1.2" in out
    assert "not_installed_anywhere" in out
    assert (listed[0], "hessian" in listed[1]) == (0, True)


def test_an_unknown_kind_is_answered_with_the_closest(ticket: Ticket) -> None:
    code, _, err = ticket("plugins", "modles")

    assert (code, "did you mean 'models'?" in err) == (2, True)
