"""Numbers, sizes and time spans as systemd reads them: exact, in integers, each refused that does not fit.

Every reader raises ValueError saying what it expected.
"""

from __future__ import annotations

from hafta.settings import switch
from hafta.units.words import WHITESPACE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

INFINITY = (1 << 64) - 1
DIGITS = "0123456789"
_EXPECTED_SPAN = "a time span such as 5, 500ms, 1min 30s or infinity"
_SIZE = "a size such as 4096, 64K or 1.5G, or infinity"


def boolean(text: str) -> bool:
    """Read a boolean in any of systemd's words. Raises ValueError saying what it expected."""
    return switch(text)


def whole_number(text: str, below: int) -> int:
    """Read a whole number from 0 to `below`, without it: decimal, or 0x, 0o, 0b and a mere 0 as in C."""
    rest = text.lstrip(WHITESPACE)
    sign = rest[:1] if rest[:1] in {"+", "-"} else ""
    digits = rest[len(sign) :]
    prefix = digits[:2].lower()
    bases = {"0x": 16} if sign else {"0x": 16, "0o": 8, "0b": 2}
    base = bases.get(prefix, 8 if len(digits) > 1 and digits[0] == "0" else 10)
    figures = digits[2:] if prefix in bases else digits
    # A number of thousands of digits takes long to read, and fits nowhere.
    if not figures or not set(figures.lower()) <= set("0123456789abcdef"[:base]) or len(figures.lstrip("0")) > 64:
        raise ValueError("a whole number, 0 or more")
    if (found := int(figures, base)) and sign == "-":
        raise ValueError("a whole number, 0 or more")
    if found >= below:
        raise ValueError(f"a whole number, at most {below - 1}")
    return found


def signed_number(text: str, least: int, most: int) -> int:
    """Read a whole number from `least` to `most`."""
    rest = text.lstrip(WHITESPACE)
    try:
        found = -whole_number(f"+{rest[1:]}", 1 << 31) if rest.startswith("-") else whole_number(rest, 1 << 31)
    except ValueError:
        found = most + 1
    if not least <= found <= most:
        raise ValueError(f"a whole number from {least} to {most}")
    return found


_MICROSECONDS = {
    **dict.fromkeys(("seconds", "second", "sec", "s"), 1_000_000),
    **dict.fromkeys(("minutes", "minute", "min"), 60_000_000),
    **dict.fromkeys(("months", "month", "M"), 2_629_800_000_000),
    **dict.fromkeys(("msec", "ms"), 1_000),
    "m": 60_000_000,
    **dict.fromkeys(("hours", "hour", "hr", "h"), 3_600_000_000),
    **dict.fromkeys(("days", "day", "d"), 86_400_000_000),
    **dict.fromkeys(("weeks", "week", "w"), 604_800_000_000),
    **dict.fromkeys(("years", "year", "y"), 31_557_600_000_000),
    **dict.fromkeys(("usec", "us", "µs", "μs"), 1),
}
_NANOSECONDS = {name: 1000 * size for name, size in _MICROSECONDS.items()} | dict.fromkeys(("nsec", "ns"), 1)


def microseconds(text: str, unit: int = 1_000_000) -> int:
    """Read a time span (systemd.time(7)); `unit` is meant where none is given. INFINITY is for ever."""
    return _span(text, unit, _MICROSECONDS)


def nanoseconds(text: str) -> int:
    """Read a time span in nanoseconds. INFINITY is for ever."""
    return _span(text, 1, _NANOSECONDS)


def _span(text: str, unit: int, units: Mapping[str, int]) -> int:
    rest = text.strip(WHITESPACE)
    if rest == "infinity":
        return INFINITY
    total, is_first = 0, True
    while rest or is_first:
        amount, rest = _next_span(rest, unit, units)
        total, is_first = total + amount, False
        if total >= INFINITY:
            raise ValueError(_EXPECTED_SPAN)
    return total


def _next_span(text: str, unit: int, units: Mapping[str, int]) -> tuple[int, str]:
    """Return the first part of a time span, and the rest without the blanks before it."""
    digits, rest = _take_digits(text.removeprefix("+"))
    fraction = ""
    if rest.startswith(".") and (digits or not text.startswith("+")):
        fraction, rest = _take_digits(rest[1:])
        if not fraction:
            raise ValueError(_EXPECTED_SPAN)
    elif not digits:
        raise ValueError(_EXPECTED_SPAN)
    behind = rest.lstrip(WHITESPACE)
    name = max((each for each in units if behind.startswith(each)), key=len, default="")
    if rest and not name and behind == rest:
        raise ValueError(_EXPECTED_SPAN)
    size = units[name] if name else unit
    if len(digits.lstrip("0")) > 20:
        raise ValueError(_EXPECTED_SPAN)
    amount = int(digits or "0") * size
    for at, digit in enumerate(fraction[:20]):
        amount += int(digit) * (size // 10 ** (at + 1))
    return amount, behind[len(name) :].lstrip(WHITESPACE)


def _take_digits(text: str) -> tuple[str, str]:
    rest = text.lstrip(DIGITS)
    return text[: len(text) - len(rest)], rest


def seconds(text: str) -> float:
    """Read a time span; return seconds, infinite for `infinity`."""
    found = microseconds(text)
    return float("inf") if found == INFINITY else found / 1_000_000


def _part(fraction: str) -> float:
    """Return what digits behind a point mean, rounded as systemd does."""
    found = float(fraction or "0")
    for _ in fraction:
        found /= 10
    return found


_FACTORS = {"": 1} | {suffix: 1 << 10 * power for power, suffix in enumerate("BKMGTPE")}


def size(text: str) -> int:
    """Read a size in bytes: numbers with K, M, G, T, P or E behind them, larger ones first."""
    rest, total, last = text.lstrip(WHITESPACE), 0, 1 << 64
    while True:
        digits, rest = _take_digits(rest.removeprefix("+"))
        if not digits or len(digits.lstrip("0")) > 20:
            raise ValueError(_SIZE)
        fraction = ""
        if rest.startswith("."):
            fraction, rest = _take_digits(rest[1:])
        if len(fraction.lstrip("0")) > 20 or int(fraction or "0") > INFINITY:
            raise ValueError(_SIZE)
        rest = rest.lstrip(WHITESPACE)
        suffix = rest[:1] if rest[:1] in _FACTORS else ""
        factor = _FACTORS[suffix]
        rank = factor if suffix else 0
        if rank >= last:
            raise ValueError(_SIZE)
        total += int(digits) * factor + int(_part(fraction) * factor)
        if total >= INFINITY:
            raise ValueError(f"{_SIZE}, below 16E")
        rest, last = rest[len(suffix) :], rank
        if not rest:
            return total
        rest = rest.lstrip(WHITESPACE)
