"""The workers of a warm service (docs/warm.md) die and are replaced while systemd, which sees the parent, says nothing.

The service says it itself, and is believed about itself only. The rules:

1. `worker-hung`: down from then on, though the worker that hangs has not ended yet. If it hung before it was ready, it
   was down since the one before it ended.
2. `service-held-back` of a service that was up: its worker has died, and the next one waits. It is held.
3. `worker-replaced`: the worker has died, now or before it was held back, and the next one works. No entry says when
   that one is ready, which takes it milliseconds. A worker that was asked to go (a reload, a rule) has not failed.
"""

from __future__ import annotations

from hafta.observe.intervals import Class
from hafta.observe.outages import Run, cause_of_worker
from hafta.observe.standing import Standing, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.observe.entry import Entry

NOT_READY = "not ready within"  # what hafta.service.warm.parent says of a worker that hung at its start
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
        worker = self.run.worker
        if not self._is_of_run(entry) or self.state is State.DOWN:
            return
        if NOT_READY in entry.fields.get("HAFTA_REASON", "") and worker.replaced is not None:
            self.track.correct(worker.replaced, Class.DOWN, "start", self.run.name)
            self.outages[-1].reopen()
            self.outages[-1].failed_starts += 1
            self.state = State.DOWN
        else:
            self._fall(at, "hang", is_failure=True)
        self.run.worker.is_away = True
        self.track.turn(at, Class.DOWN, "abort", self.run.name)

    def _replaced(self, entry: Entry, at: int) -> None:
        cause = cause_of_worker(entry.fields.get("HAFTA_REASON", ""))
        if not self._is_of_run(entry) or not cause:
            return
        worker = self.run.worker
        if self.state is not State.DOWN:
            is_failure = self.state is State.UP
            self._fall(at, cause, is_failure=is_failure)
            self.tally.uncertain += [] if is_failure else [at]
        elif not worker.is_away:
            return
        elif self.outages[-1].cause == "failed":
            self.outages[-1].cause = cause
        self.tally.uncertain += [at] * min(entry.number("HAFTA_REPEATED", 1) - 1, MANY)
        worker.is_away, worker.replaced = False, max(at, self.track.since)
        self._end_outage(worker.replaced, "restored")
        self.state = State.UP
        self.track.turn(at, Class.UP, run=self.run.name)

    def _is_of_run(self, entry: Entry) -> bool:
        if self.state is State.NEW and entry.run:
            self.run = Run(entry.run, entry.at)
        self.run.worker.is_warm |= entry.run == self.run.name
        return entry.run == self.run.name and entry.run not in self.ended
