"""Moments as people write them: `2h`, `yesterday`, `09:30`, `2026-11-22 10:15`, `boot`."""

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
