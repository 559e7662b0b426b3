"""Rollback storms: which events are sent, and which are summed up. No clock and no I/O.

Rules:

1. Two events are alike if their `key()` is equal: the same kind, sequence, node, checkpoint, reason, next node. The
   attempt, the duration and the like do not count (`Event.VARYING`).
2. In a window of WINDOW seconds, the first BURST events that are alike go out at once.
3. Further ones are counted. At the end of the window one entry, the latest event, is sent for all of them.
4. A key whose events were counted in this window is counted from the start of the next one, so a continuing storm is
   one entry a window. Any other key is forgotten.
5. At most KEYS keys are followed. If there is no room for a new key, the event is followed by its kind alone, by the
   same rules. So a storm of ever different reasons is bounded, and the first panic still goes out at once. Events of
   priority debug, which are the lines that a program prints, get at most half of the keys: they never hide which node
   was rolled back.
6. Before a critical event goes out, everything counted so far is sent: after a critical event the process ends.

Invariant: *after `flush()`, the numbers of events that all entries stand for add up to the number of events offered.*

Arithmetic: a window sends at most (KEYS + kinds) x (BURST + 1) entries: with 64 keys, 56 kinds and a burst of 10
at most 1,320. 30 seconds touch at most 4 windows of 10 s: 5,280 entries. That is about half of the 10,000 that journald
takes from a service in 30 s by default; the rest is left for what the program prints. A storm of one node costs 10
entries, then 1 every 10 s. Memory: KEYS + kinds events. Rule 6 is not part of the bound: no further window follows it.
If you change a number, tests/unit/journal/test_journal_storm.py checks the sum.
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
    """What is known about one key."""

    __slots__ = ("first", "last", "seen", "waiting")

    def __init__(self, event: Event) -> None:
        self.seen = 0  # in this window
        self.waiting = 0  # counted, not sent
        self.first = 0.0  # when the first of those happened
        self.last = event


class Storm:
    """The filter between what is reported and what is sent."""

    def __init__(self) -> None:
        self.due = NEVER  # when the window ends: call end_window() then
        self.waiting = 0  # how many events were counted and not sent
        self._kept: dict[Any, _Kept] = {}

    def offer(self, event: Event, now: float) -> Sequence[Entry]:
        """Return what must be sent now. Raises TypeError, and counts nothing, if the event's key cannot be hashed."""
        key = event.key()
        owed: Sequence[Entry] = ()
        if now >= self.due:
            hash(key)  # what it raises is raised before anything is taken out
            owed = self.end_window(now)
        kept = self._kept.get(key) or self._follow(key, event, now)
        kept.seen += 1
        if kept.seen > BURST:
            if not kept.waiting:
                kept.first = now
            kept.waiting += 1
            self.waiting += 1
            kept.last = event
            return owed
        if event.PRIORITY <= CRITICAL:
            owed = (*owed, *self.flush(now))
        return (*owed, (event, 1))

    def end_window(self, now: float) -> Sequence[Entry]:
        """Return the summaries of the window that has ended, and begin the next window."""
        owed = self.flush(now)
        self._kept = {key: kept for key, kept in self._kept.items() if kept.seen > BURST}
        for kept in self._kept.values():
            kept.seen = BURST
        self.due = now + WINDOW if self._kept else NEVER
        return owed

    def flush(self, now: float) -> Sequence[Entry]:
        """Return a summary of everything that was counted and not sent; each event knows how long ago the first was."""
        owed = []
        for kept in self._kept.values():
            if kept.waiting:
                kept.last.sums_up(max(0.0, now - kept.first))
                owed.append((kept.last, kept.waiting))
                kept.waiting = 0
        self.waiting = 0
        return owed

    def _follow(self, key: Any, event: Event, now: float) -> _Kept:
        if len(self._kept) >= (KEYS if event.PRIORITY < DEBUG else KEYS // 2):
            key = event.NAME
        if self.due == NEVER:
            self.due = now + WINDOW
        return self._kept.setdefault(key, _Kept(event))
