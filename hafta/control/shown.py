"""Properties as systemctl shows them: spans, times, truth values, lists."""

from __future__ import annotations

import time

from hafta.journal.entry import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FOREVER = (1 << 64) - 1
_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_SPANS = (
    *((31_557_600 * _SECOND, "y"), (2_629_800 * _SECOND, "month"), (7 * _DAY, "w"), (_DAY, "d"), (_HOUR, "h")),
    *((_MINUTE, "min"), (_SECOND, "s"), (1000, "ms"), (1, "us")),
)


def span(usec: int) -> str:
    """Return a span of time: 1min 30s, 1.500000s, 100ms, infinity."""
    if usec >= FOREVER:
        return "infinity"
    parts: list[str] = []
    left = usec
    for size, suffix in _SPANS:
        count, rest = divmod(left, size)
        if not count:
            continue
        if left < _MINUTE and rest:
            digits = len(str(size)) - 1
            return " ".join([*parts, f"{count}.{rest:0{digits}}{suffix}"])
        parts.append(f"{count}{suffix}")
        left = rest
    return " ".join(parts) or "0"


def moment(usec: int) -> str:
    """Return a time of the clock on the wall; empty for never."""
    return time.strftime("%a %Y-%m-%d %H:%M:%S %Z", time.localtime(usec // _SECOND)) if usec else ""


def ago(usec: int) -> str:
    """Return how long ago something was, in two units at most."""
    return f"{_roughly(max(0, usec))} ago"


def _roughly(usec: int) -> str:
    if usec >= 2 * _DAY:
        return f"{usec // _DAY} days"
    if usec >= _DAY:
        return f"1 day {usec % _DAY // _HOUR}h"
    if usec >= _HOUR:
        return f"{usec // _HOUR}h {usec % _HOUR // _MINUTE}min"
    if usec >= _MINUTE:
        return f"{usec // _MINUTE}min" + (f" {usec % _MINUTE // _SECOND}s" if usec < 5 * _MINUTE else "")
    return f"{usec // _SECOND}s" if usec >= _SECOND else f"{usec // 1000}ms"


def one_line(text: object) -> str:
    """Return text on one line, without what a terminal might obey."""
    return printable(str(text)).replace("\n", "\\x0a")


def lines(name: str, value: Any) -> list[str]:
    """Return the values of a property, one for each line that it has."""
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    if isinstance(value, int):
        if name.endswith("USec"):
            return [span(value)]
        return [moment(value) if name.endswith("Timestamp") else str(value)]
    if isinstance(value, list):
        if value and isinstance(value[0], dict):
            return [_command(each) for each in value]
        return [" ".join(one_line(each) for each in value)]
    return [one_line(value)]


def _command(command: dict[str, Any]) -> str:
    parts = {
        "path": command.get("path", ""),
        "argv[]": " ".join(map(str, command.get("argv", ()))),
        "ignore_errors": "yes" if command.get("ignore_errors") else "no",
        "start_time": "[n/a]",
        "stop_time": "[n/a]",
        "pid": "0",
        "code": "(null)",
        "status": "0/0",
    }
    return one_line("{ " + " ; ".join(f"{name}={value}" for name, value in parts.items()) + " }")
