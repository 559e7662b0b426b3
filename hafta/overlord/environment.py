"""The environment of a service: a clean one, as systemd gives, and what its unit adds."""

from __future__ import annotations

from hafta.overlord.execstart import PATH
from hafta.overlord.values import is_variable
from hafta.systemd.unitfile import UnitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hafta.overlord.unit import Unit

#: Carries ID/UNIT: whoever has it in the environment belongs to that unit of that overlord, and ends with it.
MARKER = "HAFTA_OVERLORD"
_FROM_OURS = ("LANG", "LANGUAGE", "TZ")
_OF_USER = ("HOME", "USER", "LOGNAME", "SHELL")


def compose(unit: Unit, ours: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that the unit asks for; `extra` comes last and wins over all but what is unset.

    Raises UnitError for an EnvironmentFile= that cannot be read.
    """
    passed = (*_FROM_OURS, *(name for name in ours if name.startswith("LC_")), *unit.pass_environment)
    found = {"PATH": PATH, **{name: ours[name] for name in passed if name in ours}, **_user(unit, ours)}
    found.update(unit.environment)
    for path, optional in unit.environment_files:
        found.update(read_file(path, unit.name, optional=optional))
    if unit.command:
        found.update(unit.command.environment)
    found.update(extra)
    for word in unit.unset_environment:
        name, equals, value = word.partition("=")
        if name in found and (not equals or found[name] == value):
            del found[name]
    return found


def _user(unit: Unit, ours: Mapping[str, str]) -> dict[str, str]:
    who = unit.credentials
    if who.name:
        return {"HOME": who.home, "USER": who.name, "LOGNAME": who.name, "SHELL": who.shell}
    return {name: ours[name] for name in _OF_USER if name in ours}


def read_file(path: str, unit: str, *, optional: bool) -> dict[str, str]:
    """Read an EnvironmentFile=. Raises UnitError naming file and line."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except OSError as error:
        if optional and isinstance(error, FileNotFoundError | NotADirectoryError):
            return {}
        hint = f"make it, or write EnvironmentFile=-{path} if it may be missing"
        raise UnitError(f"{unit}: EnvironmentFile={path}: {error.strerror}", hint) from None
    return dict(parse_file(text, path))


def parse_file(text: str, path: str) -> Iterator[tuple[str, str]]:
    """Give the assignments of an environment file (systemd.exec(5)): shell-like quotes, no expansion of variables."""
    number, at = 1, 0
    while at < len(text):
        begin, number_here = at, number
        at = _end_of_assignment(text, at)
        line = text[begin:at]
        number += line.count("\n")
        if line.strip() and line.lstrip()[0] not in "#;":
            yield _assignment(line, path, number_here)


def _end_of_assignment(text: str, at: int) -> int:
    """Return where the line that begins at `at` ends: quotes and backslashes take newlines into it."""
    quote = ""
    comment = text[at:].lstrip(" \t")[:1] in {"#", ";"}
    while at < len(text):
        char = text[at]
        at += 1
        if char == "\\" and quote != "'" and not comment:
            at += 1
        elif char == quote:
            quote = ""
        elif char == "\n" and not quote:
            return at
        elif char in "\"'" and not quote and not comment:
            quote = char
    return at


def _assignment(line: str, path: str, number: int) -> tuple[str, str]:
    name, equals, value = line.strip().partition("=")
    name = name.removeprefix("export ").strip()
    if not equals or not is_variable(name):
        raise UnitError(f"{path}:{number}: {line.strip()}: expected NAME=value", f"mend line {number} of {path}")
    return name, _unquote(value.strip())


def _unquote(text: str) -> str:
    found: list[str] = []
    quote, at = "", 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == quote:
            quote = ""
        elif char in "\"'" and not quote:
            quote = char
        elif char == "\\" and quote != "'":
            found.append(_escaped(text[at : at + 1], quote))
            at += 1
        else:
            found.append(char)
    return "".join(found)


def _escaped(char: str, quote: str) -> str:
    if char == "\n":
        return ""
    return char if not quote or char in '"\\`$' else "\\" + char
