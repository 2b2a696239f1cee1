"""A group whose commands are imported when they are used: `dockdojo --help` imports none of them.

As click documents it (https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands), with the short help
of each command beside its place, so that the list of commands needs none of them either.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

Sections = Mapping[str, Mapping[str, tuple[str, str]]]


class LazyGroup(click.Group):
    """`sections`: for whom commands are; and the name of each command, with `module:attribute` and its short help."""

    def __init__(self, *args: Any, sections: Sections, **options: Any) -> None:
        super().__init__(*args, **options)
        self._sections = sections
        self._places = {
            name: place
            for section in sections.values()
            for name, (place, _) in section.items()
        }

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of the commands, in their order."""
        return list(self._places)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a command, imported now; None where there is none of that name."""
        if name not in self._places:
            return None
        module, _, attribute = self._places[name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(
        self, context: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the lists of commands from the short helps."""
        for title, section in self._sections.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name, short) for name, (_, short) in section.items()]
                )
