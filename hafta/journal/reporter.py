"""The reporter: from an event to its sink, through the storm filter. It numbers the entries.

Invariant: *reporting never blocks, never raises, and never hides anything: each event is sent, counted in a summary, or
counted as dropped.*

Rules:

1. Each entry gets the next number, even if the sink does not take it: a gap in HAFTA_NUMBER shows a drop. Lines that
   the program prints (priority debug) get none: a journal that keeps no such lines would have gaps.
2. If a sink does not take an entry, all events that the entry stands for count as dropped. The count is sent as
   `events-dropped` as soon as another entry goes through. Until then sending the count is tried every RETRY seconds;
   such a try, if refused, uses up no number.
3. Any thread may report. The lock is held while a sink takes an entry, and sinks do not wait. But a handler of logging
   may wait. A thread that cannot get the lock within PATIENCE seconds sends its event without the filter: so a panic
   is not delayed.
4. The thread that has the lock may take it again: a signal handler may report while a report is going on.
5. A forked child starts from the beginning. It numbers from 1 (the journal tells processes apart by _PID), does not
   report what its parent has counted, and does not wait for a lock that a thread of the parent held.
6. If an exception such as the service's Stop interrupts a report, what was not sent counts as dropped.

What the invariant cannot cover: on SIGKILL, events that were counted and not yet summed up (at most those of one
window); and an event whose report Stop interrupts before it reached the filter or after it left the filter.
"""

from __future__ import annotations

import os
from _thread import RLock

from hafta.journal.storm import DEBUG, NEVER, Storm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hafta.journal.event import Event
    from hafta.journal.sink import Sink
    from hafta.journal.storm import Entry

RETRY = 1.0  # seconds between two tries to report what was dropped
PATIENCE = 0.1  # seconds to wait for the lock


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
        #: Events that could not be sent and have not been reported yet.
        self.dropped = 0

    @property
    def records(self) -> bool:
        """Whether entries are kept with their fields (Sink.records)."""
        return self._sink.records

    @property
    def due(self) -> float:
        """When tick() next has something to do, by the reporter's clock; infinity: nothing is waiting to be sent."""
        summary = self._storm.due if self._storm.waiting else NEVER  # nobody need wake up for a window without one
        return min(summary, self._retry)

    def open(self) -> None:
        """Load and open now what reporting needs: when no descriptor is left, that is no longer possible."""
        import hafta.journal.events  # noqa: F401 - late, for a quick start

        self._sink.open()

    def follow(self, other: Reporter) -> None:
        """Replace another reporter, which is closed: continue its numbers, and report what it had to drop."""
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
        lock = self._lock
        if not lock.acquire(blocking=False) and not lock.acquire(timeout=PATIENCE):  # a timeout costs, also unused
            self._deliver(((event, 1),))
            return
        try:
            entries = self._filtered(event)
            if entries:  # in a storm there are none
                self._deliver(entries)
        finally:
            self._lock.release()

    def tick(self) -> None:
        """Send what is due: summaries, and the count of what was dropped. Costs almost nothing if nothing is due."""
        now = self._now()
        if now >= self._storm.due or now >= self._retry:
            self._settle(now)

    def close(self) -> None:
        """Send everything that is waiting, and close the sink. The next report opens it again."""
        if os.getpid() != self._pid:
            self._begin()
        if not self._lock.acquire(timeout=PATIENCE):
            return  # rule 3: another thread is still sending, and may continue
        try:
            self._deliver(self._storm.flush(self._now()))
            self._tell_dropped()
            self._sink.close()
        except OSError:
            return  # others have closed the descriptor already
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
                self._number = number = self._number + 1 if event.PRIORITY < DEBUG else self._number
                if self._send(event, number if event.PRIORITY < DEBUG else 0, repeated):
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

        count, self.dropped = self.dropped, 0  # first: a thread that sends without the lock must not report them again
        number = self._number = self._number + 1  # first: Stop may come right after sending; no number is used twice
        is_told = False
        try:
            is_told = self._send(EventsDropped(count), number, 1)
        finally:
            if not is_told:
                self.dropped += count
        if is_told:
            self._retry = self._retry if self.dropped else NEVER
        else:
            self._number -= self._number == number  # unless another entry has got a number meanwhile
            self._retry = self._now() + RETRY

    def _send(self, event: Event, number: int, repeated: int) -> bool:
        try:
            return self._sink.send(event, number, repeated)
        except Exception:  # a handler of logging, or an event whose sentence cannot be made
            return False
