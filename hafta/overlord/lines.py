"""From what a service writes to lines that can be shown: whatever bytes come, in whatever pieces."""

from __future__ import annotations

from hafta.frozen import Frozen
from hafta.journal.entry import printable

_PREFIXES = {b"<%d>" % priority: priority for priority in range(8)}
LINE_MAX = 8192  # bytes: a longer line is shown in pieces


class Line(Frozen):
    """A line without its newline. `continues` the one before, if that was longer than LINE_MAX."""

    text: str
    priority: int = 6
    continues: bool = False


class Splitter:
    """Takes bytes, gives whole lines; one for each stream. `level` is the priority of a line that says none."""

    def __init__(self, level: int = 6, *, has_prefixes: bool = True) -> None:
        self._level = level
        self._has_prefixes = has_prefixes
        self._held = b""
        self._continues = False

    def feed(self, data: bytes) -> list[Line]:
        """Return the lines that are complete now."""
        *whole, self._held = (self._held + data).split(b"\n")
        lines = [line for raw in whole for line in self._pieces(raw)]
        while len(self._held) > LINE_MAX:
            first, self._held = _cut(self._held)
            lines.append(self._line(first))
            self._continues = True
        return lines

    def end(self) -> list[Line]:
        """Return what is left without a newline."""
        held, self._held = self._held, b""
        return self._pieces(held) if held else []

    def _pieces(self, raw: bytes) -> list[Line]:
        """Return a whole line, in pieces if it is long."""
        lines = []
        while True:
            first, raw = _cut(raw)
            lines.append(self._line(first))
            self._continues = bool(raw)
            if not raw:
                return lines

    def _line(self, raw: bytes) -> Line:
        priority = self._level
        if self._has_prefixes and not self._continues and raw[:3] in _PREFIXES:
            priority, raw = _PREFIXES[raw[:3]], raw[3:]
        text = raw.removesuffix(b"\r").decode("utf-8", "backslashreplace")
        return Line(printable(text), priority, self._continues)


def _cut(raw: bytes) -> tuple[bytes, bytes]:
    """Return a piece of at most LINE_MAX bytes, and the rest. A character of UTF-8 (at most 4 bytes) is not cut."""
    ends = (at for at in range(LINE_MAX, LINE_MAX - 4, -1) if not 0x80 <= raw[at] < 0xC0)
    end = next(ends, LINE_MAX) if len(raw) > LINE_MAX else LINE_MAX  # no text if all are in the middle of a character
    return raw[:end], raw[end:]
