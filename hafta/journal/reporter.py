"""The reporter: from an event to its sink, by way of the storm filter and the running number.

Invariant: *reporting never blocks, never raises, and never hides: each event is sent, counted in a summary, or counted
as dropped.*

Rules:

1. An entry takes the next number, also if the sink does not take it: a gap in HAFTA_NUMBER is a drop.
2. What a sink does not take is counted by the events it stands for. The count is sent as `events-dropped` as soon as
   something goes through again, and tried once in RETRY seconds until then; what is refused keeps no number.
3. Any thread may report. The lock is held while a sink, which does not wait, takes an entry; one who cannot have it
   within PATIENCE seconds (a handler of logging that waits holds it) sends past the filter: a panic is not held up.
4. The lock may be taken again by the thread that has it: a signal handler may report while a report is going on.
5. A forked child begins anew: it numbers from 1 (the journal tells processes apart by _PID), owes nothing of what its
   parent has counted, and does not wait for a lock whose holder was not forked along.
6. If something like the service's Stop flies through in the middle, what was not sent is counted as dropped.

What the invariant cannot cover: events counted and not yet summed up when SIGKILL comes, at most one window's, and an
event that Stop meets before it has come to the filter or after it has left it.
"""

from __future__ import annotations

import os
from _thread import RLock

from hafta.journal.storm import NEVER, Storm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hafta.journal.event import Event
    from hafta.journal.sink import Sink
    from hafta.journal.storm import Entry

RETRY = 1.0  # seconds between two tries to tell of what was dropped
PATIENCE = 0.1  # seconds


class Reporter:
    """Sends events to a sink. `now` is a monotonic clock in seconds."""

    def __init__(self, sink: Sink, now: Callable[[], float]) -> None:
        self._sink = sink
        self._now = now
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = RLock()
        self._storm = Storm()
        self._number = 0
        self._retry = NEVER
        #: Events that could not be sent and have not been told of yet.
        self.dropped = 0

    @property
    def due(self) -> float:
        """When tick() has something to do, by the reporter's clock; infinity if nothing is owed."""
        return min(self._storm.due, self._retry)

    def open(self) -> None:
        """Have at hand what reporting needs: when no descriptor is left, nothing can be loaded or opened."""
        import hafta.journal.events  # noqa: F401 - late, for a quick start

        self._sink.open()

    def follow(self, other: Reporter) -> None:
        """Take the place of another, which is closed: go on with its numbers, and owe what it could not tell of."""
        if other._pid != self._pid:
            return  # rule 5
        self._number = other._number
        count, other.dropped = other.dropped, 0
        if count:
            self._drop(count)

    def report(self, event: Event) -> None:
        """Send or count an event."""
        if os.getpid() != self._pid:
            self._begin()
        if not self._lock.acquire(timeout=PATIENCE):
            self._deliver(((event, 1),))
            return
        try:
            self._deliver(self._filtered(event))
        finally:
            self._lock.release()

    def tick(self) -> None:
        """Send what is due: summaries, and the count of what was dropped. Next to free if nothing is."""
        now = self._now()
        if now >= self._storm.due or now >= self._retry:
            self._settle(now)

    def close(self) -> None:
        """Send everything that is owed and close the sink. Reporting after that opens it again."""
        if os.getpid() != self._pid:
            self._begin()
        if not self._lock.acquire(timeout=PATIENCE):
            return  # rule 3: whoever has it is still sending, and may go on
        try:
            self._deliver(self._storm.flush())
            self._tell_dropped()
            self._sink.close()
        except OSError:
            return  # somebody else has closed it
        finally:
            self._lock.release()

    def _settle(self, now: float) -> None:
        if os.getpid() != self._pid:
            self._begin()
        if not self._lock.acquire(timeout=PATIENCE):
            return
        try:
            if now >= self._storm.due:
                self._deliver(self._storm.end_window(now))
            if now >= self._retry:
                self._tell_dropped()
        finally:
            self._lock.release()

    def _filtered(self, event: Event) -> Sequence[Entry]:
        try:
            return self._storm.offer(event, self._now())
        except Exception:  # a field that cannot be hashed
            return ((event, 1),)

    def _deliver(self, entries: Sequence[Entry]) -> None:
        owed = sum([repeated for _, repeated in entries])
        try:
            for event, repeated in entries:
                self._number += 1
                if self._send(event, self._number, repeated):
                    owed -= repeated
        finally:
            if owed:
                self._drop(owed)
        if entries and not owed and self.dropped:
            self._tell_dropped()

    def _drop(self, count: int) -> None:
        self.dropped += count
        if self._retry == NEVER:
            self._retry = self._now() + RETRY

    def _tell_dropped(self) -> None:
        if not self.dropped:
            return
        from hafta.journal.events import EventsDropped

        count, self.dropped = self.dropped, 0  # before: who sends past the lock must not tell of the same ones
        number = self._number = self._number + 1  # before: a Stop may fly after it was sent, and none is given twice
        is_told = False
        try:
            is_told = self._send(EventsDropped(count), number, 1)
        finally:
            if not is_told:
                self.dropped += count
        if is_told:
            self._retry = self._retry if self.dropped else NEVER
        else:
            self._number -= self._number == number  # unless another was given meanwhile
            self._retry = self._now() + RETRY

    def _send(self, event: Event, number: int, repeated: int) -> bool:
        try:
            return self._sink.send(event, number, repeated)
        except Exception:  # a handler of logging, or an event whose sentence cannot be made
            return False
