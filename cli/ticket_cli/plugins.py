"""`ticket plugins`: what can be named in a recipe or by a flag, and who offers it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

from ticket_cli import options


@click.command()
@click.argument("kind", required=False)
@options.together(
    click.option("--check", is_flag=True, help="Import each; exit 1 if any is broken."),
    options.as_json,
    options.debug_option,
)
@click.pass_context
def plugins(ctx: click.Context, kind: str | None, check: bool, as_json: bool) -> None:
    """List plugins.

    KIND (criteria, models, recipes, ...) lists those of one kind. Nothing is imported without
    --check: what a plugin does and its options are read from its source.
    """
    from ticket.errors import UsageError
    from ticket.registry import KINDS, installed
    from ticket.values import closest

    if kind is not None and kind not in KINDS:
        hint = closest(kind, KINDS)
        raise UsageError(
            f"no kind of plugin named '{kind}'{hint or '; there are: ' + ', '.join(KINDS)}"
        )
    found = [
        _described(plugin, check)
        for each in ([kind] if kind else KINDS)
        for plugin in installed(each)
    ]
    broken = [plugin for plugin in found if plugin["problem"]]
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        _print(found)
        if check:
            told = f"{len(broken)} of {len(found)} plugins are broken" if broken else "all work"
            click.echo(f"{len(found)} plugins: {told}")
    if broken:
        ctx.exit(1)


def _print(found: Sequence[Mapping[str, str]]) -> None:
    """Print the plugins under the heading of their kind, options below what they belong to."""
    for kind in dict.fromkeys(p["kind"] for p in found):
        click.echo(click.style(kind, bold=True))
        for p in (p for p in found if p["kind"] == kind):
            offered = f"[{p['package']} {p['version']}]"
            click.echo(f"  {p['name']:<20} {p['problem'] or p['summary']} {offered}")
            if p["options"]:
                click.echo(f"{'':<22} options: {p['options']}")


def _described(plugin: Any, check: bool) -> dict[str, str]:
    from ticket_cli.signatures import Signature, signature_of

    signature = signature_of(plugin) or Signature("", "")
    return {
        "kind": plugin.kind,
        "name": plugin.name,
        "package": plugin.package,
        "version": plugin.version,
        "target": plugin.target,
        "summary": signature.summary,
        "options": signature.options,
        "problem": _problem(plugin) if check else "",
    }


def _problem(plugin: Any) -> str:
    """Return what is wrong with a plugin, or nothing: it is loaded as a recipe would load it."""
    from ticket.config import check_phases
    from ticket.errors import TicketError
    from ticket.recipe import read_recipe, recipe_document
    from ticket.registry import load
    from ticket.values import options_of

    try:
        if plugin.kind == "recipes":
            recipe, mistakes = read_recipe(recipe_document(plugin.name))
            return "; ".join(mistakes + check_phases(recipe))
        # A placeholder's place is taken by some number: `resnet{depth}` is loaded as `resnet1`.
        options_of(load(plugin.kind, re.sub(r"\{\w+\}", "1", plugin.name)).function)
    except TicketError as problem:
        return str(problem)
    except (TypeError, NameError, ValueError) as problem:
        return f"its signature cannot be read: {problem}"
    return ""
