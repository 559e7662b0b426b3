"""StandardInput=, StandardOutput= and StandardError=, and what the lines that come out mean (systemd.exec(5))."""

from __future__ import annotations

from hafta.frozen import Frozen
from hafta.units import amounts
from hafta.units.directive import NotHere
from hafta.units.values import absolute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.units.specifiers import Specifiers

#: Where the lines come to the overlord, which shows them; without a systemd there is no other journal.
SHOWN = ("journal", "kmsg", "syslog", "journal+console", "kmsg+console", "syslog+console")
_FILES = ("file", "append", "truncate")
_LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
INFO, DEBUG = 6, 7


class Stream(Frozen):
    """Where a stream leads: null, inherit, journal (to the overlord), socket, file, append, truncate; tty, data, fd.

    If the unit does not say where: input to null, output to the overlord or the socket that is input, errors as output.
    """

    kind: str = ""
    path: str = ""

    @property
    def is_honoured(self) -> bool:
        """Whether it leads there."""
        return self.kind not in {"tty", "data", "fd"}

    @property
    def text(self) -> str:
        """What the unit says."""
        return f"{self.kind}:{self.path}" if self.path else self.kind


class Standard(Frozen):
    """The standard streams of a service. Of its lines, `level` is the priority of one that says none itself."""

    input: Stream = Stream()
    output: Stream = Stream()
    error: Stream = Stream()
    level: int = INFO
    has_prefixes: bool = True  # <N> in front of a line is its priority
    most: int = DEBUG  # lines of a higher number are not shown

    @property
    def streams(self) -> tuple[int, ...]:
        """Which of 0, 1 and 2 are the socket; what inherits follows the one before it."""
        sockets = [self.input.kind == "socket"]
        for stream in (self.output, self.error):
            sockets.append(stream.kind == "socket" or (sockets[-1] and stream.kind in {"", "inherit"}))
        return tuple(fd for fd, is_socket in enumerate(sockets) if is_socket)


def reader(*, is_input: bool) -> Callable[[str, Specifiers], Stream]:
    """Make a reader of where a stream leads."""
    kinds = ("null", "socket", "data") if is_input else ("null", "inherit", "socket", "tty")
    files = _FILES[:1] if is_input else _FILES

    def read(value: str, specifiers: Specifiers) -> Stream:
        kind, colon, rest = value.partition(":")
        if colon and kind in files:
            return Stream(kind, absolute(specifiers.expand(rest), "an absolute path without .. behind the colon"))
        if (colon and kind == "fd") or value in kinds:
            return Stream(kind)
        if value in SHOWN and not is_input:
            return Stream("journal")
        if is_input and value in {"tty", "tty-force", "tty-fail"}:
            raise NotHere("null, socket or file:PATH: the overlord has no terminal to give away")
        expected = [*kinds, *(() if is_input else SHOWN[:1]), *(f"{name}:PATH" for name in files)]
        raise ValueError(f"one of {', '.join(expected)}")

    return read


def level(value: str, _: Specifiers) -> int:
    """Read the name or the number of a priority."""
    try:
        return _LEVELS.index(value) if value in _LEVELS else amounts.whole_number(value, len(_LEVELS))
    except ValueError:
        raise ValueError(f"one of {', '.join(_LEVELS)}") from None
