"""The command `ticket`: its verbs, and how every failure becomes one line and an exit code."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence

import click

from ticket.errors import TicketError
from ticket_cli.bench import bench
from ticket_cli.compare import compare
from ticket_cli.data import data
from ticket_cli.doctor import doctor
from ticket_cli.evaluate import evaluate
from ticket_cli.export import export
from ticket_cli.find import find
from ticket_cli.ls import ls
from ticket_cli.options import debug_option
from ticket_cli.plugins import plugins
from ticket_cli.sections import Verbs
from ticket_cli.show import show
from ticket_cli.stability import stability
from ticket_cli.train import train
from ticket_cli.transform import transform
from ticket_cli.verify import verify

INTERRUPTED = 130
EPILOG = """\b
Exit codes:
  0    done
  1    failed, with one line that says why
  2    what was asked for makes no sense
  3    a check did not hold
  130  interrupted; the same command continues

\b
Environment:
  TICKET_DATA  where data sets lie (./data)
  TICKET_RUNS  where runs are kept (./runs)
"""


@click.group(
    cls=Verbs,
    commands=[
        *(find, transform, train, evaluate, export, bench, verify),
        *(compare, stability, show, ls, plugins, doctor, data),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.version_option(package_name="ticket", message="ticket %(version)s")
@debug_option
def ticket() -> None:
    """Find winning lottery tickets: sparse networks that train as well as the dense one.

    Begin with `ticket find --method unilth`: it works on bundled data.
    """


def main() -> None:
    """Run the command line and leave with its exit code."""
    code = run(sys.argv[1:])
    if code == INTERRUPTED:
        # Everything is saved; taking torch down in good order can last longer than a user waits.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; exceptions come out only with `--debug`."""
    debug = "--debug" in arguments
    with warnings.catch_warnings():
        if not debug:
            warnings.showwarning = _show_warning
        try:
            code = ticket.main(list(arguments), prog_name="ticket", standalone_mode=False)
            sys.stdout.flush()
            return code if isinstance(code, int) else 0
        except BrokenPipeError:
            # Nobody reads on; without this Python would complain once more while it leaves.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except (Exception, KeyboardInterrupt) as problem:
            if debug and not isinstance(problem, click.ClickException | click.Abort):
                raise
            code, line = explain(problem)
            click.echo(line, err=True)
            return code


def explain(problem: BaseException) -> tuple[int, str]:
    """Return the exit code and the line that a failure is worth."""
    if isinstance(problem, TicketError):
        word = "Stopped" if problem.exit_code == INTERRUPTED else "Error"
        return problem.exit_code, f"{word}: {problem}"
    if isinstance(problem, click.ClickException):
        hint = ""
        if isinstance(problem, click.UsageError) and problem.ctx:
            hint = f" (see {problem.ctx.command_path} --help)"
        return problem.exit_code, f"Error: {problem.format_message().rstrip('.')}{hint}"
    if isinstance(problem, click.Abort | KeyboardInterrupt):
        return INTERRUPTED, "Stopped: interrupted; the same command continues"
    if isinstance(problem, OSError):
        place = f"{problem.filename}: " if problem.filename else ""
        return 1, f"Error: {place}{problem.strerror or problem}"
    lines = str(problem).strip().splitlines() or [""]
    # A replicate's failure arrives as the text of its traceback, whose last line says what it was.
    said = (
        lines[-1] if lines[0].startswith("Traceback") else f"{type(problem).__name__}: {lines[0]}"
    )
    return 1, f"Error: {said} (a defect of ticket or of a plugin; --debug shows where)"


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    click.echo(f"Warning: {message}", err=True)
