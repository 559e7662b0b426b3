"""When the next record is due: a steady grid on the monotonic clock. Decides; does not sleep."""

from __future__ import annotations

from math import floor

#: Seconds; a shorter interval could not be kept, and would overflow the count of turns.
SHORTEST = 1e-6


class Pace:
    """One record per `interval` seconds, the first at once.

    A record is due at start + n * interval, so that the time that writing takes adds up to no drift. What was missed
    while the reader paused or the machine slept is skipped: a reader of "one per second" never gets a burst.
    """

    def __init__(self, interval: float, start: float) -> None:
        self._interval = max(SHORTEST, interval)
        self._start = start
        self._turn = 0

    def delay(self, now: float) -> float:
        """Return the seconds from now to the turn that is due; 0 if it is due already."""
        return max(0.0, self._start + self._turn * self._interval - now)

    def written(self, now: float) -> None:
        """Go on to the first turn after now."""
        past = floor((now - self._start) / self._interval)
        self._turn = max(self._turn, past) + 1
