"""The environment of a service: a clean one, as systemd gives, and what its unit adds."""

from __future__ import annotations

from glob import glob, has_magic

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
        for each in _matching(path):
            found.update(read_file(each, unit.name, optional=optional))
    if unit.command:
        found.update(unit.command.environment)
    found.update(extra)
    for word in unit.unset_environment:
        name, equals, value = word.partition("=")
        if name in found and (not equals or found[name] == value):
            del found[name]
    return found


def _matching(path: str) -> list[str]:
    """Return the files that a path with wildcards means, in order; itself if none is there."""
    return sorted(glob(path)) or [path] if has_magic(path) else [path]


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
    at = 0
    while at < len(text):
        line = text[at:].partition("\n")[0]
        if not line.strip() or line.lstrip()[0] in "#;":
            at += len(line) + 1
            continue
        name = _name(line, path, text.count("\n", 0, at) + 1)
        value, at = _value(text, at + line.index("=") + 1)
        yield name, value


def _name(line: str, path: str, number: int) -> str:
    name, equals, _ = line.strip().partition("=")
    name = name.removeprefix("export ").strip()
    if not equals or not is_variable(name):
        raise UnitError(f"{path}:{number}: {line.strip()}: expected NAME=value", f"mend line {number} of {path}")
    return name


def _value(text: str, at: int) -> tuple[str, int]:
    """Return the value that begins at `at`, and where it ends: quotes and backslashes take newlines into it.

    A quote opens only where nothing unquoted stands before it: those inside of `{"a": 1}` or `it's` are kept.
    """
    found: list[str] = []
    quote, is_bare, length = "", False, 0  # length: without blanks at the end
    while at < len(text):
        char = text[at]
        at += 1
        if quote and char == quote:
            quote = ""
        elif quote:
            is_escape = char == "\\" and quote == '"'
            found.append(_escaped(text[at : at + 1]) if is_escape else char)
            at += is_escape
        elif char in "\r\n":
            break
        elif char in "\"'" and not is_bare:
            quote = char
        elif char in " \t":
            found += char * is_bare
            continue
        else:
            is_bare = True
            found.append(text[at : at + 1].strip("\r\n") if char == "\\" else char)
            at += char == "\\"
        length = len(found)
    return "".join(found[:length]), at


def _escaped(char: str) -> str:
    """Return what a backslash before a character means between double quotes."""
    if char == "\n":
        return ""
    return char if char and char in '"\\`$' else "\\" + char
