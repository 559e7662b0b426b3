"""Man pages: prose from packaging/man/*.in, options, variables and exit statuses from the code itself.

A line of a source that is one of these words stands for what the code tells:

    @SYNOPSIS@ @OPTIONS@ @ENVIRONMENT@ @STATUSES@ @COMMANDS@ @LIMITS@

and @VERSION@ and @DATE@ may stand anywhere.
"""

from __future__ import annotations

import email.utils
import re
from typing import TYPE_CHECKING

import programs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import click

    from hafta.settings import Program, Setting

SOURCES = "packaging/man"
PLACEHOLDER = re.compile(r"^@([A-Z]+)@$", flags=re.MULTILINE)


class PageError(Exception):
    """A page has a word that nothing stands for, or a command has no page."""


def files(root: Path) -> dict[str, str]:
    """Return man/NAME.SECTION -> text. Raises PageError for a command without a page."""
    from hafta import exits

    sources = {path.name.removesuffix(".in"): path.read_text() for path in sorted((root / SOURCES).glob("*.in"))}
    generated = {f"{program.name}.1": service_parts(program) for program in programs.services(root)}
    generated |= {f"{path.replace(' ', '-')}.1": command_parts(path, node) for path, node in programs.walk()}
    generated["hafta.7"] = {"STATUSES": statuses(exits.MEANING)}
    if missing := sorted(generated.keys() - sources.keys()):
        raise PageError(f"no page for {', '.join(missing)}: write {SOURCES}/{missing[0]}.in")
    stamp = release(root)
    return {f"man/{name}": render(name, text, generated.get(name, {}), stamp) for name, text in sources.items()}


def release(root: Path) -> dict[str, str]:
    """Return the version and the date of the newest entry of the changelog."""
    text = (root / "packaging/debian/changelog").read_text()
    version = re.search(r"\(([^)]+)\)", text)
    date = re.search(r"^ -- .*?>  (.*)$", text, flags=re.MULTILINE)
    assert version
    assert date
    return {"VERSION": version[1], "DATE": f"{email.utils.parsedate_to_datetime(date[1]):%Y-%m-%d}"}


def render(name: str, text: str, parts: dict[str, str], stamp: dict[str, str]) -> str:
    """Return the page. Raises PageError for a word that nothing stands for."""

    def part(match: re.Match[str]) -> str:
        if match[1] not in parts:
            raise PageError(f"{name}: nothing stands for @{match[1]}@")
        return parts[match[1]].rstrip("\n")

    page = PLACEHOLDER.sub(part, text)
    for word, value in stamp.items():
        page = page.replace(f"@{word}@", value)
    return page


def service_parts(program: Program) -> dict[str, str]:
    """Return what the description of a service tells."""
    parts = program_parts(program)
    return {**parts, "OPTIONS": parts["OPTIONS"] + _item(_bold("--version"), "Print the version.")}


def command_parts(path: str, node: click.Command) -> dict[str, str]:
    """Return what a command of `hafta` tells: by its own record, or, without one, by click."""
    program = programs.described(node)
    parts = click_parts(path, node) if program is None else program_parts(program)
    return {**parts, "COMMANDS": "".join(_subcommand(path, name, child) for name, child in programs.children(node))}


def program_parts(program: Program) -> dict[str, str]:
    """Return what the record of a program tells."""
    named = [setting for setting in program.settings if setting.variable]
    variables = (_item(_bold(setting.variable), f"As {_bold(setting.option)}.") for setting in named)
    operands = f" \\fI{escape(program.operands)}\\fR" if program.operands else ""
    return {
        "SYNOPSIS": f".B {escape(program.name)}\n[\\fIOPTION\\fR]...{operands}",
        "OPTIONS": "".join(map(_option, program.settings))
        + _item(f"{_bold('-h')}, {_bold('--help')}", "Explain the options."),
        "ENVIRONMENT": "".join(variables),
        "STATUSES": statuses(program.statuses, program.meanings),
    }


def click_parts(path: str, node: click.Command) -> dict[str, str]:
    """Return what click tells of a group that has no record."""
    import click

    from hafta import exits

    context = click.Context(node, info_name=path, **node.context_settings)
    records = [param.get_help_record(context) for param in node.get_params(context)]
    return {
        "SYNOPSIS": f".B {escape(path)}\n[\\fIOPTION\\fR]... \\fICOMMAND\\fR [\\fIARG\\fR]...",
        "OPTIONS": "".join(_item(_bold(record[0]), _sentence(record[1])) for record in records if record),
        "STATUSES": statuses((exits.OK, exits.USAGE)),
    }


def statuses(numbers: Iterable[int], meanings: Mapping[int, str] | None = None) -> str:
    """Return the table of exit statuses."""
    from hafta import exits

    known = {**exits.MEANING, **(meanings or {})}
    return "".join(_item(f"\\fB{number}\\fR", _sentence(known[number])) for number in numbers)


def escape(text: str) -> str:
    """Return text in which roff sees nothing of its own."""
    text = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti")
    )
    return re.sub(r"^\.", "\\\\&.", text, flags=re.MULTILINE)


def _option(setting: Setting) -> str:
    head = ", ".join(map(_bold, setting.options)) + (f" \\fI{setting.metavar}\\fR" if setting.metavar else "")
    return _item(head, _sentence(setting.help) + _default(setting))


def _default(setting: Setting) -> str:
    from hafta.settings import help_default

    shown = help_default(setting).removeprefix(" (default: ").removesuffix(")")
    return f"\nDefault: {escape(shown)}." if shown else ""


def _subcommand(path: str, name: str, child: click.Command) -> str:
    page = f"{path} {name}".replace(" ", "-")
    return _item(f"{_bold(name)}, see \\fB{escape(page)}\\fR(1)", _sentence(child.get_short_help_str(200)))


def _bold(text: str) -> str:
    return f"\\fB{escape(text)}\\fR"


def _item(head: str, text: str) -> str:
    return f".TP\n{head}\n{text}\n"


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    if not text:
        return ""
    return escape(text[0].upper() + text[1:].removesuffix(".")) + "."
