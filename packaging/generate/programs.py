"""The programs that a package ships, as pyproject.toml names them."""

from __future__ import annotations

import importlib
import sys
import tomllib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import click

    from hafta.settings import Program

#: The one command that is made of subcommands.
COMMAND = "hafta"


def entry_points(root: Path) -> dict[str, str]:
    """Return program -> module:function."""
    with (root / "pyproject.toml").open("rb") as file:
        scripts: dict[str, str] = tomllib.load(file)["project"]["scripts"]
    return scripts


def services(root: Path) -> list[Program]:
    """Return the services' own descriptions, with the settings that every service has."""
    from hafta.service.options import complete

    found = []
    for name, place in entry_points(root).items():
        if name != COMMAND:
            program: Program = importlib.import_module(place.partition(":")[0]).PROGRAM
            found.append(complete(program))
    return found


def command() -> click.Command:
    """Return the click command of `hafta`."""
    from hafta.cli.group import hafta

    found: click.Command = hafta
    return found


def walk() -> Iterator[tuple[str, click.Command]]:
    """Yield `hafta`, `hafta run` and so on, each with its click command."""
    yield from _walk(COMMAND, command())


def children(node: click.Command) -> list[tuple[str, click.Command]]:
    """Return the commands of a group by name, without the hidden ones; none of another command."""
    import click

    if not isinstance(node, click.Group):
        return []
    context = click.Context(node)
    found = [(name, node.get_command(context, name)) for name in node.list_commands(context)]
    return [(name, child) for name, child in found if child and not child.hidden]


def described(node: click.Command) -> Program | None:
    """Return the record that a command is made of, which its module calls PROGRAM."""
    module = sys.modules[node.callback.__module__] if node.callback else None
    found: Program | None = getattr(module, "PROGRAM", None)
    return found


def _walk(path: str, node: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, node
    for name, child in children(node):
        yield from _walk(f"{path} {name}", child)
