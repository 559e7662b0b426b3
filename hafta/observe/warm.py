"""The workers of a warm service (docs/warm.md) die and are replaced while systemd, which sees the parent, says nothing.

The service says it itself, and is believed about itself only. The rules:

1. `worker-hung`: down from then on, though the worker that hangs has not ended yet.
2. `service-held-back` of a service that was up: its worker has died, and the next one waits. It is held.
3. `worker-replaced` comes when the next worker is ready, and says for how long none was: that long before, the service
   went down, unless an entry has said so already. If that worker died before it was ready, it is still down.
4. A worker that was asked to go (a reload, a rule) has not failed, unless the next one fails.
5. An entry that stands for several comes late: of its time only the last end is counted, and nothing as down.
"""

from __future__ import annotations

from hafta.observe.intervals import Class
from hafta.observe.outages import Run, cause_of_worker
from hafta.observe.standing import Standing, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.observe.entry import Entry

MANY = 1_000  # more ends than this, for which one entry stands, are not believed


class Warm(Standing):
    """What the entries of parent and workers mean."""

    def _held(self, entry: Entry, at: int) -> None:
        worker = self.run.worker
        if entry.run != self.run.name:
            return
        if self.state is State.UP:
            if not worker.is_warm:
                return
            self._fall(at, "failed", is_failure=True)
            worker.is_away = True
        self.track.turn(at, Class.HELD, "hold", self.run.name if worker.is_away else "")

    def _stuck(self, entry: Entry, at: int) -> None:
        """A worker hangs, or does not become ready."""
        if not self._is_of_run(entry) or self.state is State.DOWN:
            return
        self._fall(at, "hang", is_failure=True)
        self.run.worker.is_away = True
        self.track.turn(at, Class.DOWN, "abort", self.run.name)

    def _replaced(self, entry: Entry, at: int) -> None:
        is_ready = bool(entry.number("HAFTA_READY", 1))
        cause = cause_of_worker(entry.fields.get("HAFTA_REASON", "")) or ("" if is_ready else "start")
        if not self._is_of_run(entry) or not cause:
            return
        repeated = min(entry.number("HAFTA_REPEATED", 1), MANY)
        at -= entry.number("HAFTA_FIRST_USEC") if repeated == 1 else 0
        self._lose(at - (entry.number("HAFTA_DOWN_USEC") if repeated == 1 else 0), cause)
        self.tally.uncertain += [at] * (repeated - 1)
        worker = self.run.worker
        if not worker.is_away:
            return
        if not is_ready:
            self.outages[-1].failed_starts += 1
            return
        worker.is_away = False
        self._end_outage(max(at, self.track.since), "restored")
        self.state = State.UP
        self.track.turn(at, Class.UP, run=self.run.name)

    def _lose(self, at: int, cause: str) -> None:
        """The worker ended, and that was the end of being up unless it was down already."""
        if self.state is State.DOWN:
            if self.run.worker.is_away and self.outages[-1].cause == "failed":
                self.outages[-1].cause = cause
            return
        is_failure = self.state is State.UP
        at = self.track.turn(at, Class.DOWN, "start", self.run.name)
        self._fall(at, cause, is_failure=is_failure)
        self.tally.uncertain += [] if is_failure else [at]
        self.run.worker.is_away = True

    def _is_of_run(self, entry: Entry) -> bool:
        if self.state is State.NEW and entry.run:
            self.run = Run(entry.run, entry.at)
        self.run.worker.is_warm |= entry.run == self.run.name
        return entry.run == self.run.name and entry.run not in self.ended
