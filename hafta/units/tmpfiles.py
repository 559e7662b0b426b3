"""tmpfiles.d(5): which directories, files and links are to be there before the first unit starts, below /run alone.

Rules
1. Of files of the same name, the one of the first directory counts; it may be empty or a link to /dev/null. They are
   read in the order of their names.
2. Of two lines that make the same path in different ways, the first counts. Lines that make something come before
   lines that only change what is there, and what is above a path comes before it.
3. A line that cannot be understood is a trouble, and the others count all the same.
4. Of what systemd makes for itself nothing is made: /run/systemd would look like a running systemd, and /run/nologin
   is removed by a service of systemd's own.
"""

from __future__ import annotations

import grp
import os
import pwd

from hafta.frozen import Frozen
from hafta.units import amounts, words
from hafta.units.files import has_wildcards, matching, read_text, reason
from hafta.units.names import listed
from hafta.units.roots import CONTROL
from hafta.units.specifiers import Specifiers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.units.roots import Roots

FOLDERS = ("/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d", "/lib/tmpfiles.d")
BELOW = "/run"
#: Lines that make something, and lines that change what is there. Of the latter, a path may have wildcards.
MAKE = frozenset("dDvqQfLp")
CHANGE = frozenset("ez")
#: Lines that do nothing when things are made: they say what is to be removed, and when.
_OTHER_TIMES = frozenset("xXrR")
_NOT_DONE_MAKE, _NOT_DONE_CHANGE = frozenset("Ccb"), frozenset("ZtThHaAw")
_OLD = {"F": "f+", "m": "z"}  # older names
_MODIFIERS = frozenset("+!-=~^")
_SPECIFIERS = frozenset("aAbBCgGhHlLmMoStTuUvVwW%")
_EXCLUDED = ("/run/systemd", "/run/nologin", f"/run/{CONTROL}")
_DIRECTORIES = frozenset("dDvqQe")
_LINE = words.VARIABLES
_TEXT = words.Mode(quotes=False, separators="")


class Mode(Frozen):
    """The mode of a line. One that is `masked` leaves out what nobody may do with what is there."""

    bits: int
    masked: bool = False
    only_new: bool = False


class Owner(Frozen):
    """The number of a user or a group."""

    number: int
    only_new: bool = False


class Line(Frozen):
    """One line. `where` says in which file it stands."""

    type: str
    modifiers: str
    path: str
    mode: Mode | None
    user: Owner | None
    group: Owner | None
    argument: str
    where: str

    @property
    def makes(self) -> bool:
        """Whether it makes something; else it changes what is there."""
        return self.type in MAKE

    @property
    def mode_of_new(self) -> int:
        """The mode of what is made."""
        return self.mode.bits if self.mode else 0o755 if self.type in _DIRECTORIES else 0o644


class Reading(Frozen):
    """The lines to carry out in their order, those that are not done here, and what could not be understood."""

    lines: tuple[Line, ...]
    not_done: tuple[Line, ...]
    troubles: tuple[str, ...]


def read_all(roots: Roots, *, booting: bool, root: str = "") -> Reading:
    """Read all files. `booting`: also the lines with a `!`; `root` is put in front of the directories of files."""
    taken: list[Line] = []
    troubles: list[str] = []
    for file in _files(root):
        try:
            text = read_text(file)
        except (OSError, ValueError) as error:
            troubles.append(f"{file}: {reason(error)}")
            continue
        for number, raw in enumerate(text.split("\n"), 1):
            try:
                line = _line(raw.strip(words.WHITESPACE), f"{file}:{number}", Specifiers("", file, roots))
            except ValueError as error:
                troubles.append(f"{file}:{number}: expected {error}")
                continue
            if line and (booting or "!" not in line.modifiers):
                taken.append(line)
    done = [line for line in taken if _is_done(line)]
    kept = sorted(_without_rivals(done), key=lambda line: (not line.makes, line.path if line.makes else ""))
    return Reading(tuple(kept), tuple(line for line in taken if not _is_done(line)), tuple(troubles))


def _files(root: str) -> list[str]:
    found: dict[str, str] = {}
    for folder in FOLDERS:
        for base in listed(root + folder):
            if base.endswith(".conf"):
                found.setdefault(base, os.path.join(root + folder, base))
    return [found[base] for base in sorted(found, key=os.fsencode)]


def _line(text: str, where: str, specifiers: Specifiers) -> Line | None:
    """Return what a line says; None if it does not concern us. Raises ValueError saying what was expected."""
    if not text or text.startswith("#"):
        return None
    fields: list[str] = []
    at = 0
    while len(fields) < 6 and at < len(text):
        word, at = words.next_word(text, at, _LINE)
        fields.append(word or "")
    kind, path, mode, user, group, age = (*fields, *[""] * (6 - len(fields)))
    kind = _OLD.get(kind[:1], kind[:1]) + kind[1:]
    kinds = MAKE | CHANGE | _OTHER_TIMES | _NOT_DONE_MAKE | _NOT_DONE_CHANGE
    if kind[:1] not in kinds or not set(kind[1:]) <= _MODIFIERS or len(set(kind)) < len(kind):
        raise ValueError(f"a type such as d, L+ or f!, not {kind}")
    if len(fields) < 2:
        raise ValueError("a path")
    path = _path(path, specifiers)
    if not path.startswith(f"{BELOW}/") or _is_excluded(path) or kind[0] in _OTHER_TIMES:
        return None
    given = _mode(mode)
    argument = "" if text[at:] == "-" else text[at:]
    if kind[0] in "fL" and argument:
        argument = _expand(words.next_word(argument, 0, _TEXT)[0] or "", specifiers)
    _age(age)
    return Line(kind[0], kind[1:], path, given, _owner(user, _uid), _owner(group, _gid), argument, where)


def _path(text: str, specifiers: Specifiers) -> str:
    path = _expand(text, specifiers)
    if not path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"an absolute path without .., not {path}")
    path = words.simplified(path)
    return path.removeprefix("/var") if path.startswith("/var/run/") else path


def _expand(text: str, specifiers: Specifiers) -> str:
    """Resolve specifiers. Those that only a unit has do not exist here."""
    at = 0
    while (at := text.find("%", at)) >= 0:
        letter = text[at + 1 : at + 2]
        if letter.isascii() and letter.isalnum() and letter not in _SPECIFIERS:
            raise ValueError(f"a specifier that exists, not %{letter}")
        at += 2
    return specifiers.expand(text)


def _is_excluded(path: str) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in _EXCLUDED)


def _mode(text: str) -> Mode | None:
    if text in {"", "-"}:
        return None
    digits = text.lstrip("~:")
    signs = text[: len(text) - len(digits)]
    if not digits or digits.strip("01234567") or int(digits[:99], 8) > 0o7777:
        raise ValueError(f"an octal mode such as 0750, not {text}")
    return Mode(int(digits, 8), "~" in signs, ":" in signs)


def _owner(text: str, number_of: Callable[[str], int]) -> Owner | None:
    if text in {"", "-"}:
        return None
    name = text.removeprefix(":")
    try:
        number = amounts.whole_number(name, (1 << 32) - 1) if name.isascii() and name.isdigit() else number_of(name)
    except (KeyError, ValueError):
        raise ValueError(f"a user and a group that exist, not {name}") from None
    return Owner(number, text.startswith(":"))


def _uid(name: str) -> int:
    return pwd.getpwnam(name).pw_uid


def _gid(name: str) -> int:
    return grp.getgrnam(name).gr_gid


def _age(text: str) -> None:
    """Check an age, of which we make no use: nothing here grows old."""
    rest = text.removeprefix("~")
    if rest in {"", "-"}:
        return
    kinds, colon, span = rest.rpartition(":")
    if colon and not set(kinds) <= set("aAbBcCmM"):
        raise ValueError(f"an age such as 10d, not {text}")
    amounts.microseconds(span)


def _is_done(line: Line) -> bool:
    return (line.makes or line.type in CHANGE) and not (line.type == "f" and {"~", "^"} & set(line.modifiers))


def changes_nothing(line: Line, root: str) -> bool:
    """Tell whether a line that is not done would find nothing to change."""
    found = matching(root + line.path) if has_wildcards(line.path) else os.path.lexists(root + line.path)
    return line.type in _NOT_DONE_CHANGE and not found


def _without_rivals(lines: list[Line]) -> list[Line]:
    """Leave out each line that makes otherwise what an earlier one makes already (rule 2)."""
    first: dict[tuple[bool, str], Line] = {}
    kept = []
    for line in lines:
        owns = line.makes or line.type == "e"
        rival = first.setdefault((line.makes, line.path), line) if owns else line
        if _claim(rival) == _claim(line) or "+" in line.modifiers:
            kept.append(line)
    return kept


def _claim(line: Line) -> tuple[object, ...]:
    return (line.mode, line.user, line.group, line.argument)
