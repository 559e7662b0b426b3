"""Environment files (systemd.exec(5), EnvironmentFile=), and what a variable may be called.

Other programs write these files, so they are read as systemd reads them: a line without `=` is ignored, a name that
cannot be a variable's is ignored (there is no `export`), and a `-` in front of the path forgives whatever is wrong.
A file is read whenever its unit starts, by the loop that serves all units. So it must be a regular file of a bounded
size, which nothing can wait for.
"""

from __future__ import annotations

from hafta.units.files import read_text, reason
from hafta.units.unitfile import UnitError
from hafta.units.words import is_utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: Where a program without a path is looked for, and the PATH of services, as systemd has it.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BLANKS = " \t\r\n"
_SPECIAL = frozenset("\\\"'")


def is_variable(name: str) -> bool:
    """Tell whether this can be the name of an environment variable."""
    return name.isascii() and name.isidentifier()


def read_file(path: str, unit: str, *, optional: bool) -> dict[str, str]:
    """Read an EnvironmentFile=. Raises UnitError saying what is wrong with it, unless it is `optional`."""
    try:
        return dict(parse_file(read_text(path)))
    except (OSError, ValueError) as error:
        if optional:
            return {}
        hint = f"correct it, or write EnvironmentFile=-{path} if the unit can do without it"
        raise UnitError(f"{unit}: EnvironmentFile={path}: {reason(error)}", hint) from None


def parse_file(text: str) -> Iterator[tuple[str, str]]:
    """Give the assignments of an environment file: shell-like quotes, no expansion of variables.

    Raises ValueError for an assignment that is not UTF-8.
    """
    at = 0
    while at < len(text):
        end = _end_of_line(text, at)
        begin = at
        while begin < end and text[begin] in _BLANKS:
            begin += 1
        equals = text.find("=", begin, end)
        if equals < 0 or text[begin] in "#;":
            at = end + 1
            continue
        name = text[begin:equals].rstrip(_BLANKS)
        value, at = _value(text, equals + 1, end)
        if not is_utf8(name) or not is_utf8(value):
            raise ValueError(f"{name.encode('utf-8', 'replace').decode()}: not UTF-8")
        if is_variable(name):
            yield name, value


def _end_of_line(text: str, at: int) -> int:
    """Return where the line ends that begins at `at`: at a line feed or a carriage return."""
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    cut = text.find("\r", at, end)
    return end if cut < 0 else cut


def _value(text: str, at: int, end: int) -> tuple[str, int]:
    """Return the value that begins at `at`, and where the next line begins; this line ends at `end`."""
    plain = text[at:end]
    return (plain.strip(_BLANKS), end + 1) if _SPECIAL.isdisjoint(plain) else _quoted(text, at)


def _quoted(text: str, at: int) -> tuple[str, int]:
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
    if char in {"", "\n"}:
        return ""
    return char if char in '"\\`$' else "\\" + char
