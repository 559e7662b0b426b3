"""How long a claim is ours: the arithmetic of a lease. No I/O.

    sent          the owner asks for the lease, or for its confirmation
    sent + ttl    the store ends it at the earliest, because it got the question later
    - margin      the owner gives up: `lost`

The clock counts time in which the machine was suspended.
"""

from __future__ import annotations

import time

MARGIN = 0.1  # of the TTL: clocks of two hosts may run that much apart, and the owner needs time to notice
BEATS = 3  # confirmations in a TTL
LEAST, MOST = 1.0, 3600.0  # seconds that a TTL may have


def now() -> float:
    """Return seconds on a clock that goes on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def checked_ttl(ttl: float) -> float:
    """Return the TTL as seconds. Raises ValueError."""
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)) or not LEAST <= ttl <= MOST:
        raise ValueError(f"ttl is the seconds of a lease, {LEAST:g} to {MOST:g}, not {ttl!r}")
    return float(ttl)


def least_ttl(watchdog: float) -> float:
    """Return the TTL that a watchdog of this period needs (docs/hosts.md, rule 6).

    A lease may go unconfirmed for one beat, and its confirmation may take another half: all that must be fed.
    """
    return watchdog / (1 - MARGIN - 1.2 / BEATS)


class Lease:
    """The lease of one claim. Threads share it: each attribute is written as a whole."""

    __slots__ = ("_until", "asked_to_move", "ttl")

    def __init__(self, ttl: float, sent: float) -> None:
        self.ttl = ttl
        self.asked_to_move = False  # noted by what confirms it
        self._until = sent + ttl

    def confirm(self, sent: float) -> None:
        """Note that the store has confirmed what was sent at this time."""
        self._until = max(self._until, sent + self.ttl) if self.left() > 0 else self._until

    def end(self) -> None:
        """Note that the store says that it is not ours any more."""
        self._until = 0.0

    def left(self) -> float:
        """Return the seconds until it must be taken for lost; 0 or less: it is."""
        return self._until - MARGIN * self.ttl - now()

    @property
    def beat(self) -> float:
        """The seconds between two confirmations."""
        return self.ttl / BEATS
