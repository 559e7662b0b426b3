"""Unit files as systemd.syntax(7) has them: sections, repeated keys in their order, continuation lines, drop-ins.

A reader of one's own, because the known ones lose what an error and a reset need: configparser the order of repeated
keys, and every library the line; and a bare Python must be able to run it. Stricter than systemd in one point: a line
that systemd would skip with a warning is an error here, since nothing is started before all is understood.
"""

from __future__ import annotations

from hafta.errors import UsageError
from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WHITESPACE = " \t\r\n"
COMMENTS = "#;"


class UnitError(UsageError):
    """A unit file is wrong: which file, line, directive and value, and what to do."""


class Entry(Record):
    """One assignment. `file` and `line` tell where it stands; `line` is the first of a continued one."""

    section: str
    name: str
    value: str
    file: str
    line: int

    def wrong(self, expected: str, hint: str = "") -> UnitError:
        """Return the error that says where it stands, its value, and what was expected."""
        where = f"{self.file}:{self.line}: {self.name}={self.value}"
        return UnitError(f"{where}: expected {expected}", hint or f"mend {self.name}= in {self.file}")


def parse(text: str, file: str) -> list[Entry]:
    """Return the assignments of one file in their order. Raises UnitError with the file and the line."""
    entries: list[Entry] = []
    section = ""
    for number, line in _logical_lines(text.removeprefix("\ufeff")):
        if line.startswith("["):
            section = _section(line, file, number)
        else:
            entries.append(_assignment(line, section, file, number))
    return entries


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines that mean something, continued ones joined by a space; comments inside those are skipped."""
    begun, held = 0, ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.lstrip(WHITESPACE)
        if line[:1] in COMMENTS and line:
            continue
        begun = begun or number
        continued = _ends_escaped(line.rstrip("\r"))
        held += line.rstrip("\r")[:-1] + " " if continued else line
        if continued:
            continue
        if joined := held.strip(WHITESPACE):
            yield begun, joined
        begun, held = 0, ""
    if joined := held.strip(WHITESPACE):
        yield begun, joined


def _ends_escaped(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _section(line: str, file: str, number: int) -> str:
    if not line.endswith("]"):
        raise UnitError(f"{file}:{number}: {line}: expected a section like [Service]", "close the bracket")
    return line[1:-1]


def _assignment(line: str, section: str, file: str, number: int) -> Entry:
    name, equals, value = line.partition("=")
    name = name.rstrip(WHITESPACE)
    if not equals or not name:
        raise UnitError(f"{file}:{number}: {line}: expected Name=value", "comment lines begin with # or ;")
    if not section:
        raise UnitError(f"{file}:{number}: {line}: stands outside of any section", "put it below [Unit] or [Service]")
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


def boolean(text: str) -> bool:
    """Read a boolean in any of systemd's words. Raises ValueError saying what it expected."""
    lowered = text.lower()
    if lowered in {"1", "yes", "y", "true", "t", "on"}:
        return True
    if lowered in {"0", "no", "n", "false", "f", "off"}:
        return False
    raise ValueError("yes or no")


_SECONDS = {
    **dict.fromkeys(("usec", "us", "µs", "μs"), 1e-6),
    **dict.fromkeys(("msec", "ms"), 1e-3),
    **dict.fromkeys(("", "seconds", "second", "sec", "s"), 1.0),
    **dict.fromkeys(("minutes", "minute", "min", "m"), 60.0),
    **dict.fromkeys(("hours", "hour", "hr", "h"), 3600.0),
    **dict.fromkeys(("days", "day", "d"), 86400.0),
    **dict.fromkeys(("weeks", "week", "w"), 604800.0),
    **dict.fromkeys(("months", "month", "M"), 2629800.0),
    **dict.fromkeys(("years", "year", "y"), 31557600.0),
}


def time_span(text: str) -> float:
    """Read a time span such as `1min 30s`, `500ms`, `2.5` or `infinity`; return seconds.

    See systemd.time(7). Raises ValueError saying what it expected.
    """
    rest = text.strip()
    if rest == "infinity":
        return float("inf")
    total = 0.0
    while True:
        amount, rest = _take(rest, "0123456789.")
        unit, rest = _take_unit(rest.lstrip(WHITESPACE))
        if unit not in _SECONDS or amount.count(".") > 1 or not amount.strip("."):
            raise ValueError("a time span such as 5, 500ms, 1min 30s or infinity")
        total, rest = total + float(amount) * _SECONDS[unit], rest.lstrip(WHITESPACE)
        if not rest:
            return total


def _take(text: str, characters: str) -> tuple[str, str]:
    rest = text.lstrip(characters)
    return text[: len(text) - len(rest)], rest


def _take_unit(text: str) -> tuple[str, str]:
    length = next((at for at, char in enumerate(text) if not char.isalpha()), len(text))
    return text[:length], text[length:]


_ESCAPES = {**dict(zip("abfnrtvs", "\a\b\f\n\r\t\v ", strict=True)), "\\": "\\", '"': '"', "'": "'"}
_CODES = {"x": (2, 16), "u": (4, 16), "U": (8, 16)}


def split_words(text: str, *, relaxed: bool = False) -> list[str]:
    """Split a value into words as systemd does: quotes taken off, C escapes resolved.

    `relaxed` leaves an unknown escape as it stands, as in ExecStart=. Raises ValueError saying what it expected.
    """
    words: list[str] = []
    word: str | None = None
    quote = ""
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "\\":
            resolved, at = _escape(text, at, relaxed=relaxed)
            word = (word or "") + resolved
        elif char == quote:
            quote = ""
        elif not quote and char in "\"'":
            quote, word = char, word or ""
        elif not quote and char in WHITESPACE:
            words, word = _ended(words, word), None
        else:
            word = (word or "") + char
    if quote:
        raise ValueError(f"a closing {quote}")
    # Bytes given one by one may now form characters.
    return [word.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") for word in _ended(words, word)]


def _ended(words: list[str], word: str | None) -> list[str]:
    return words if word is None else [*words, word]


def _escape(text: str, at: int, *, relaxed: bool) -> tuple[str, int]:
    """Resolve the escape whose backslash stands before `at`; return what it means and where to go on."""
    if at == len(text):
        raise ValueError("something behind the last backslash")
    char = text[at]
    if char in _ESCAPES:
        return _ESCAPES[char], at + 1
    width, base = _CODES.get(char, (3, 8))
    digits = text[at + 1 : at + 1 + width] if char in _CODES else text[at : at + width]
    try:
        code = int(digits, base) if len(digits) == width and digits.isalnum() else -1
        if code > 0:
            return _character(char, code), at + width + (char in _CODES)
    except (ValueError, OverflowError):
        pass
    if relaxed:
        return "\\" + char, at + 1
    raise ValueError(f"a C escape, not \\{char}")


def _character(kind: str, code: int) -> str:
    """Return the character; a hexadecimal or octal code is a byte, which may be a part of a longer character."""
    if (code > 0xFF and kind not in "uU") or 0xD800 <= code < 0xE000:
        raise ValueError
    if kind in "uU":
        return chr(code)
    return bytes((code,)).decode("utf-8", "surrogateescape")
