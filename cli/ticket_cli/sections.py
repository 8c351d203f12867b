"""Help that can be read: verbs in the order of use, options under headings."""

from __future__ import annotations

import click


class Verbs(click.Group):
    """List the verbs in the order in which they are used, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the verbs."""
        return list(self.commands)


def sectioned(sections: dict[str, tuple[str, ...]]) -> type[click.Command]:
    """Return a command class whose help lists options under headings (heading -> parameter names).

    What no heading names comes last, under `Other`.
    """

    class Sectioned(click.Command):
        def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
            records = {p.name: p.get_help_record(ctx) for p in self.get_params(ctx)}
            listed = {name for names in sections.values() for name in names}
            rest = {"Other": tuple(str(name) for name in records if name not in listed)}
            for heading, names in {**sections, **rest}.items():
                rows = [row for name in names if (row := records[name]) is not None]
                with formatter.section(heading):
                    formatter.write_dl(rows)

    return Sectioned
