"""Moments and durations, as people write and read them: `2h`, `yesterday`, `09:30`, `2026-11-22 10:15`, `boot`."""

from __future__ import annotations

import re
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Moment = Callable[[float, float], float]  # from now and the begin of the boot to a time, in seconds since 1970

UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,6})?) ?([a-z]+) ?")
_CLOCK = re.compile(r"(\d\d):(\d\d)(?::(\d\d))?")
EXPECTED = "a time: 2h (that long ago), yesterday, today, now, boot, 09:30, 2026-11-22 10:15, or @SECONDS"


def moment(text: str) -> Moment:  # noqa: PLR0911 - one for each way to say it
    """Read a moment. Raises ValueError with what was expected."""
    word = text.strip()
    if word == "now":
        return lambda now, _boot: now
    if word == "boot":
        return lambda _now, boot: boot
    if word in {"today", "yesterday"}:
        days = word == "yesterday"
        return lambda now, _boot: _midnight(now, days)
    if re.fullmatch(r"@\d{1,12}(\.\d{1,6})?", word):
        return lambda _now, _boot: float(word[1:])
    if (clock := _CLOCK.fullmatch(word)) and int(clock[1]) < 24 and int(clock[2]) < 60 and int(clock[3] or 0) < 60:
        seconds = int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3] or 0)
        return lambda now, _boot: _midnight(now, 0) + seconds
    if (ago := _span(word.removesuffix(" ago"))) is not None:
        return lambda now, _boot: now - ago
    return _calendar(word)


def _calendar(word: str) -> Moment:
    from datetime import datetime

    try:
        found = datetime.fromisoformat(word).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(EXPECTED) from None
    return lambda _now, _boot: found


def _span(word: str) -> float | None:
    pieces, at = 0.0, 0
    while piece := _SPAN.match(word, at):
        if piece[2] not in UNITS:
            return None
        pieces, at = pieces + float(piece[1]) * UNITS[piece[2]], piece.end()
    return pieces if word and at == len(word) else None


def _midnight(now: float, days_before: int) -> float:
    parts = time.localtime(now)
    return time.mktime((parts.tm_year, parts.tm_mon, parts.tm_mday - days_before, 0, 0, 0, 0, 0, -1))


def lasting(seconds: float) -> str:
    """Return a duration for people, with two or three digits: `0.06 s`, `13.5 s`, `4 min 10 s`, `6 d 22 h 51 min`."""
    if seconds < 0:
        return f"-{lasting(-seconds)}"
    if seconds < 0.0995:
        return f"{seconds * 1000:.2g} ms" if seconds else "0 s"
    if seconds < 99.95:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    days, hours, minutes, rest = whole // 86_400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    if days:
        pieces = [(days, "d"), (hours, "h"), (minutes, "min")]
    elif hours:
        pieces = [(hours, "h"), (minutes, "min")]
    else:
        pieces = [(minutes, "min"), (rest, "s")]
    return " ".join(f"{number} {unit}" for number, unit in pieces if number)


def dated(seconds: float) -> str:
    """Return a time for people, by the local clock: `15 Nov 10:15`."""
    return time.strftime("%d %b %H:%M", _local(seconds)).lstrip("0")


def clock(seconds: float, digits: int = 3) -> str:
    """Return a time of the day, by the local clock: `04:58:05.031`."""
    fraction = f"{seconds % 1:.{digits}f}"[1:] if digits else ""
    if digits and f"{seconds % 1:.{digits}f}".startswith("1"):
        seconds, fraction = seconds + 1, "." + "0" * digits
    return time.strftime("%H:%M:%S", _local(seconds)) + fraction


def iso(seconds: float) -> str:
    """Return a time for programs: UTC, to the microsecond."""
    usec = round(seconds * 1_000_000)
    try:
        return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(usec // 1_000_000))}.{usec % 1_000_000:06d}Z"
    except (OverflowError, OSError, ValueError):
        return f"@{seconds:.6f}"


def _local(seconds: float) -> time.struct_time:
    """Return the local time; of what no calendar has, the begin of 1970."""
    try:
        return time.localtime(seconds)
    except (OverflowError, OSError, ValueError):
        return time.localtime(0)
