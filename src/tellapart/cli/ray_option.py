"""The flag --ray with an address or none. In: a command line. Out: the address. Next: workflows/scaling/connection.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])

# What stands after --ray and is meant for it; anything else is an argument of the command, such as a folder.
_ADDRESS = re.compile(r"auto|local|ray://.*|[A-Za-z0-9._-]+:\d{1,5}|\[[0-9a-fA-F:.]+\]:\d{1,5}")
_OWN = "local"


def ray_option(what: str) -> Callable[[_Command], _Command]:
    """The flag of a command whose class is RayCommand; `what` says what Ray does there."""
    return click.option("--ray", "ray", metavar="[ADDRESS]", help=what)


class RayCommand(click.Command):
    """Takes --ray without an address for Ray of this machine, whatever follows."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's, with an address after each --ray."""
        return super().parse_args(ctx, with_address(args))


def with_address(arguments: list[str]) -> list[str]:
    """The arguments with `local` after each --ray that no address follows."""
    found: list[str] = []
    for place, argument in enumerate(arguments):
        if argument == "--":
            return found + arguments[place:]
        found.append(argument)
        if argument == "--ray" and not _ADDRESS.fullmatch(next(iter(arguments[place + 1 :]), "")):
            found.append(_OWN)
    return found
