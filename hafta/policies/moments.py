"""Delays as servers write them: seconds or a date (RFC 9110, sections 10.2.3 and 5.6.7)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_DAY = 86400
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def delay_in(given: Any, clock: Callable[[], float]) -> float | None:
    """Return the seconds that this stands for, from now on, which may be endless; None for what is not a delay.

    It may be a number (a Decimal, too), its text, an HTTP date, a timedelta or a datetime. A negative number is not a
    delay, nor is NaN; a date that has passed means no delay. `clock` gives the seconds since 1970; it is asked only for
    a date. Never raises: what is given comes from a server, in the middle of a failure.
    """
    try:
        delay = _seconds_in(given, clock)
    except Exception:
        return None
    return delay if delay is not None and delay >= 0 else None


def _seconds_in(given: Any, clock: Callable[[], float]) -> float | None:
    if isinstance(given, bytes):
        given = given.decode("latin-1")
    if isinstance(given, str):
        return _seconds_in_text(given.strip(), clock)
    if isinstance(given, bool):
        return None
    if hasattr(given, "total_seconds"):
        return float(given.total_seconds())
    if hasattr(given, "timestamp"):
        return float(max(0.0, given.timestamp() - clock()))
    return _as_float(given) if hasattr(given, "__float__") else None


def _as_float(given: Any) -> float:
    try:
        return float(given)
    except OverflowError:
        return float("inf") if given > 0 else -1.0


def _seconds_in_text(text: str, clock: Callable[[], float]) -> float | None:
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text)
    moment = seconds_of(text, clock)
    return None if moment is None else max(0.0, moment - clock())


def seconds_of(text: str, clock: Callable[[], float]) -> float | None:
    """Return the seconds since 1970 of an HTTP date in any of its three formats; None for another text.

    A year of two digits is the one that is at most 50 years ahead.
    """
    words = text.replace(",", "").split()
    match words:
        case [day, date, month, year, time, "GMT"] if day in _DAYS and len(year) == 4:  # Sun, 06 Nov 1994 08:49:37 GMT
            return _since_1970(year, month, date, time)
        case [day, month, date, time, year] if day in _DAYS and len(year) == 4:  # Sun Nov  6 08:49:37 1994
            return _since_1970(year, month, date, time)
        case [day, dashed, time, "GMT"] if day in _LONG_DAYS and dashed.count("-") == 2:
            # Sunday, 06-Nov-94 08:49:37 GMT
            date, month, year = dashed.split("-")
            return _since_1970(_whole_year(year, clock), month, date, time) if len(year) == 2 else None
    return None


def _whole_year(year: str, clock: Callable[[], float]) -> str:
    now = 1970 + int(clock() // (365.2425 * _DAY))
    whole = now - now % 100 + int(year)
    return str(whole + 100 if whole <= now - 50 else whole - 100 if whole > now + 50 else whole)


def _since_1970(year: str, month: str, date: str, time: str) -> float | None:
    clock = time.split(":")
    if month not in _MONTHS or len(clock) != 3 or not all(part.isdecimal() for part in (year, date, *clock)):
        return None
    hour, minute, second = map(int, clock)
    day = int(date)
    if not (1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60):  # 60: a leap second
        return None
    days = _days_since_1970(int(year), _MONTHS.index(month) + 1, day)
    return float(days * _DAY + hour * 3600 + minute * 60 + second)


def _days_since_1970(year: int, month: int, day: int) -> int:
    """Count the days; the year is taken to begin with March, so that the leap day is its last."""
    if month <= 2:
        year, month = year - 1, month + 12
    leaps = year // 4 - year // 100 + year // 400
    return 365 * year + leaps + (153 * (month - 3) + 2) // 5 + day - 1 - 719468
