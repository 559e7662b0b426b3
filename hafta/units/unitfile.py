"""Unit files as systemd.syntax(7) has them: sections, repeated keys in their order, continuation lines, drop-ins.

There is a reader here because the known ones lose what an error and a reset need: configparser the order of repeated
keys, and every library the line; and a bare Python must be able to run it. Stricter than systemd in one point: a line
that systemd would skip with a warning is an error here, since nothing is started before all is understood.
"""

from __future__ import annotations

from hafta.errors import UsageError
from hafta.frozen import Frozen
from hafta.units.words import WHITESPACE, is_utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

COMMENTS = "#;"


class UnitError(UsageError):
    """A unit file is wrong: which file, line, directive and value, and what to do. `line` 0: not one line alone."""

    file = ""
    line = 0

    @classmethod
    def at(cls, file: str, line: int, problem: str, hint: str) -> Self:
        """Make one about a line."""
        error = cls(f"{file}:{line}: {problem}", hint)
        error.file, error.line = file, line
        return error


class Entry(Frozen):
    """One assignment. `file` and `line` tell where it stands; `line` is the first of a continued one."""

    section: str
    name: str
    value: str
    file: str
    line: int

    def wrong(self, expected: str, hint: str = "") -> UnitError:
        """Return the error that says where it stands, its value, and what was expected."""
        problem = f"{self.name}={self.value}: expected {expected}"
        return UnitError.at(self.file, self.line, problem, hint or f"correct {self.name}= in {self.file}")


def parse(text: str, file: str, wrong: list[UnitError] | None = None) -> list[Entry]:
    """Return the assignments of one file in their order. Raises UnitError with the file and the line.

    `wrong`: where to put the errors instead; the lines that have them are then left out, as systemd does.
    """
    entries: list[Entry] = []
    section = ""
    for number, line in _logical_lines(text):
        try:
            if not is_utf8(line):
                raise UnitError.at(file, number, f"{line}: expected UTF-8", f"save {file} as UTF-8")
            if line.startswith("["):
                section = _section(line, file, number)
            elif not section.startswith("X-"):  # such sections are for other programs
                entries.append(_assignment(line, section, file, number))
        except UnitError as error:
            if wrong is None:
                raise
            wrong.append(error)
    return entries


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines that mean something, continued ones joined by a space; comments inside those are skipped."""
    begun, mark = 0, "\ufeff"  # the byte order mark may begin one line
    held: list[str] = []
    for number, raw in enumerate((*_lines(text), ""), 1):
        line = raw.removeprefix(mark).lstrip(WHITESPACE) if mark else raw.lstrip(WHITESPACE)
        mark = "" if raw.startswith("\ufeff") else mark
        if line[:1] in COMMENTS and line:
            continue
        begun = begun or number
        if _ends_escaped(line):
            held += (line[:-1], " ")
            continue
        held.append(line)
        if joined := "".join(held).strip(WHITESPACE):
            yield begun, joined
        begun = 0
        held.clear()


def _lines(text: str) -> list[str]:
    """Return the lines; each ends in a line feed, a carriage return, or one of each."""
    if "\r" not in text:
        return text.split("\n")
    found: list[str] = []
    begin = at = 0
    while at < len(text):
        if text[at] not in "\r\n":
            at += 1
            continue
        found.append(text[begin:at])
        begin = at = at + (2 if text[at : at + 2] in {"\r\n", "\n\r"} else 1)
    return [*found, text[begin:]]


def _ends_escaped(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _section(line: str, file: str, number: int) -> str:
    if not line.endswith("]"):
        raise UnitError.at(file, number, f"{line}: expected a section like [Service]", "close the bracket")
    return line[1:-1]


def _assignment(line: str, section: str, file: str, number: int) -> Entry:
    name, equals, value = line.partition("=")
    name = name.rstrip(WHITESPACE)
    if not equals or not name:
        raise UnitError.at(file, number, f"{line}: expected Name=value", "comment lines begin with # or ;")
    if not section:
        raise UnitError.at(file, number, f"{line}: stands outside of any section", "put it below [Unit] or [Service]")
    return Entry(section, name, value.lstrip(WHITESPACE), file, number)


def in_force(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries that count for a directive that adds up: an empty assignment drops those before it."""
    kept: list[Entry] = []
    for entry in entries:
        if entry.value:
            kept.append(entry)
        else:
            kept.clear()
    return kept
