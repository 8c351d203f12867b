"""`ticket` starts at once; a failure is one line on stderr and an exit code that says its kind."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable

import click
import pytest

from ticket.errors import CheckFailed, Interrupted, TicketError, UsageError
from ticket_cli.main import explain
from ticket_cli.main import ticket as command

HELP = "import sys; from ticket_cli.main import run; code = run(['--help']); "
Ticket = Callable[..., tuple[int, str, str]]


def test_help_imports_neither_torch_nor_rich() -> None:
    check = "sys.exit(code or bool({'torch', 'numpy', 'rich', 'yaml'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", HELP + check], capture_output=True).returncode == 0


def processor_seconds(code: str) -> float:
    before = os.times()
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    after = os.times()
    user = after.children_user - before.children_user
    return user + after.children_system - before.children_system


def test_help_takes_less_than_150_milliseconds() -> None:
    # The fastest counts, in processor time: the machine has other work too. One that is slowed down
    # takes longer for click alone, without which there is no help.
    turns = [(processor_seconds(HELP), processor_seconds("import click")) for _ in range(8)]
    helped, click_alone = (min(seconds) for seconds in zip(*turns, strict=True))

    assert helped < max(0.15, 3 * click_alone)


def test_help_names_every_verb_in_the_order_of_use_and_the_exit_codes(ticket: Ticket) -> None:
    _, out, _ = ticket("--help")
    verbs = (
        "find",
        "transform",
        "train",
        "eval",
        "export",
        "bench",
        "compare",
        "show",
        "ls",
        "plugins",
        "doctor",
        "data",
    )
    places = [out.index(f"\n  {verb} ") for verb in verbs]

    assert places == sorted(places)
    assert "130  interrupted" in out


@pytest.mark.parametrize("verb", list(command.commands))
def test_every_command_and_every_option_is_explained(verb: str) -> None:
    one = command.commands[verb]
    commands = list(one.commands.values()) if isinstance(one, click.Group) else [one]

    assert all(each.help for each in commands)
    for each in commands:
        assert all(p.help for p in each.params if isinstance(p, click.Option)), each.name


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("fnd", "'find'"), ("trian", "'train'"), ("plugin", "'plugins'")],
)
def test_a_misspelt_verb_is_answered_with_the_closest(
    ticket: Ticket, typed: str, meant: str
) -> None:
    code, out, err = ticket(typed)

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert meant in err


def test_a_misspelt_option_is_answered_with_the_closest(ticket: Ticket) -> None:
    code, _, err = ticket("find", "--sparsty", "0.9")

    assert (code, err.count("\n")) == (2, 1)
    assert "--sparsity" in err


@pytest.mark.parametrize(
    ("problem", "code", "line"),
    [
        (TicketError("no"), 1, "Error: no"),
        (UsageError("no"), 2, "Error: no"),
        (CheckFailed("no"), 3, "Error: no"),
        (Interrupted("gone"), 130, "Stopped: gone"),
        (KeyboardInterrupt(), 130, "Stopped: interrupted; the same command continues"),
        (
            OSError(errno.ENOSPC, "No space left on device", "a"),
            1,
            "Error: a: No space left on device",
        ),
    ],
)
def test_each_kind_of_failure_has_its_line_and_its_code(
    problem: BaseException, code: int, line: str
) -> None:
    assert explain(problem) == (code, line)


def test_a_defect_is_one_line_too_and_debug_shows_where(
    ticket: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(kind: str) -> None:
        raise ZeroDivisionError("by zero\nsecond line")

    monkeypatch.setattr("ticket.registry.installed", broken)
    code, _, err = ticket("plugins")

    assert (code, err.count("\n")) == (1, 1)
    assert "ZeroDivisionError: by zero" in err
    assert "--debug" in err
    with pytest.raises(ZeroDivisionError):
        ticket("plugins", "--debug")


def test_debug_shows_the_traceback_of_a_plain_failure(ticket: Ticket) -> None:
    with pytest.raises(UsageError):
        ticket("--debug", "plugins", "modles")


def test_a_reader_that_leaves_early_is_no_failure_worth_a_word() -> None:
    code = "from ticket_cli.main import main; main()"
    typed = subprocess.Popen(
        [sys.executable, "-c", code, "plugins"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert typed.stdout is not None
    typed.stdout.close()
    _, err = typed.communicate()

    assert err == b""
