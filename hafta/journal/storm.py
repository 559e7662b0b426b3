"""Rollback storms: what is sent, and what is summed up, without a clock and without I/O.

Rules:

1. Two events are alike if their `key()` is equal: the same kind, sequence, node, checkpoint, reason, next node. The
   attempt, the duration and the like do not count (`Event.VARYING`).
2. The first BURST alike events of a window of WINDOW seconds go out at once.
3. Further ones are counted. The end of the window sends one entry for them: the latest event, which stands for so many.
4. A key that was counted in this window stays so in the next (a storm that goes on is one entry a window); a key that
   was not is forgotten.
5. At most KEYS keys are followed. An event with a new key that finds no room is followed by its kind alone, by the same
   rules: a storm of ever different reasons is bounded, and the first panic still goes out at once. Events of priority
   debug, the lines that a program says, have half of the keys at most: they never hide which node was rolled back.
6. A critical event that goes out sends everything counted before it: after it the process ends.

Invariant: *after `flush()`, the sum over all entries of what each stands for is the number of events offered.*

Arithmetic: a window sends at most (KEYS + kinds) x (BURST + 1) entries: with 64 keys, 30 kinds and a burst of 10
at most 1,034. 30 seconds touch at most 4 windows of 10 s: 4,136 entries, under half of the 10,000 that journald takes
from a service in 30 s by default; the rest is left to what the program prints. A storm of one node costs 10 entries,
then 1 every 10 s. Memory: KEYS + kinds events. The bound leaves out rule 6, after which there is no next window. If you
touch a number, tests/unit/journal/test_journal_storm.py has the sum.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hafta.journal.event import Event

    Entry = tuple[Event, int]  # an event, and how many it stands for

WINDOW = 10.0  # seconds
BURST = 10
KEYS = 64
CRITICAL, DEBUG = 2, 7  # syslog's priorities
NEVER = float("inf")


class _Kept:
    """What is known of one key."""

    __slots__ = ("last", "seen", "waiting")

    def __init__(self, event: Event) -> None:
        self.seen = 0  # in this window
        self.waiting = 0  # counted, not sent
        self.last = event


class Storm:
    """The filter between what is reported and what is sent."""

    def __init__(self) -> None:
        self.due = NEVER  # when the window ends: call end_window() then
        self._kept: dict[Any, _Kept] = {}

    def offer(self, event: Event, now: float) -> Sequence[Entry]:
        """Return what is to be sent now. Raises TypeError, and counts nothing, if the event's key cannot be hashed."""
        key = event.key()
        hash(key)
        owed = self.end_window(now) if now >= self.due else ()
        kept = self._kept.get(key) or self._follow(key, event, now)
        kept.seen += 1
        if kept.seen > BURST:
            kept.waiting += 1
            kept.last = event
            return owed
        if event.PRIORITY <= CRITICAL:
            owed = (*owed, *self.flush())
        return (*owed, (event, 1))

    def end_window(self, now: float) -> Sequence[Entry]:
        """Return the summaries of the window that has ended, and begin the next."""
        owed = self.flush()
        self._kept = {key: kept for key, kept in self._kept.items() if kept.seen > BURST}
        for kept in self._kept.values():
            kept.seen = BURST
        self.due = now + WINDOW if self._kept else NEVER
        return owed

    def flush(self) -> Sequence[Entry]:
        """Return a summary of everything that is counted and not sent."""
        owed = []
        for kept in self._kept.values():
            if kept.waiting:
                owed.append((kept.last, kept.waiting))
                kept.waiting = 0
        return owed

    def _follow(self, key: Any, event: Event, now: float) -> _Kept:
        if len(self._kept) >= (KEYS if event.PRIORITY < DEBUG else KEYS // 2):
            key = event.NAME
        if self.due == NEVER:
            self.due = now + WINDOW
        return self._kept.setdefault(key, _Kept(event))
