"""click options made from hafta.settings records, so that help, environment and errors are the same everywhere."""

from __future__ import annotations

import click

from hafta.settings import Setting, help_default, switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.settings import Program

AS_JSON = Setting("json", switch, default=False, help="print JSON, for programs", environment="")


def options(program: Program) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a command with the options of a program. Their values are the texts that were given."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for setting in reversed(program.settings):
            command = _option(setting)(command)
        return command

    return decorate


def _option(setting: Setting) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    variable = f"  [{setting.variable}]" if setting.variable else ""
    about = f"{setting.help}{help_default(setting)}{variable}"
    if not setting.metavar:
        return click.option(*setting.options, setting.key, is_flag=True, default=None, help=about)
    return click.option(*setting.options, setting.key, metavar=setting.metavar, multiple=setting.repeats, help=about)


def words(program: Program, given: dict[str, Any]) -> list[str]:
    """Return a command line that says what click has parsed: hafta.settings then reads the values."""
    found: list[str] = []
    for setting in program.settings:
        value = given[setting.key]
        if value is True:
            found.append(setting.option)
        elif setting.repeats:
            found += [f"{setting.option}={text}" for text in value]
        elif value is not None:
            found.append(f"{setting.option}={value}")
    return found
