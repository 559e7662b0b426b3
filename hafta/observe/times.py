"""How moments and durations are written: one way for people, one for programs, in every command that looks.

JSON has moments as ISO 8601 in UTC, and durations as numbers of seconds; both to the microsecond, which is what the
journal and systemd have.
"""

from __future__ import annotations

import time


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
