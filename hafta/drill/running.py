"""Carrying drills out: first the holder knows how it is undone, then the log knows that it begins, then it is done.

The order of each drill, of which any cut leaves nothing changed (docs/drill.md):

1. The holder is told to note the end; the log is told that the drill begins.
2. The holder is told to start the unit where it is found stopped.
3. Each change: the holder first.
4. The holder undoes all of it; the note of the end comes last, since it was told first.
"""

from __future__ import annotations

import signal
import time

from hafta import exits
from hafta.drill.changes import CHANGES
from hafta.drill.drills import Way, lasts, patience, rounds, why_not
from hafta.drill.measure import now
from hafta.drill.outcome import Outcome, outcome
from hafta.drill.refusals import PATIENT, pause
from hafta.drill.undo import AT_REST, POLL, Continue, Ended, Leaving, Start, signal_process
from hafta.errors import HaftaError
from hafta.journal.drill_events import LIMIT_MAX, DrillStarted
from hafta.process.stat import read_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.drill.drills import Drill
    from hafta.drill.holder import Holder
    from hafta.drill.managers import Embedded, Systemd
    from hafta.drill.measure import Measure, Moment
    from hafta.drill.rounds import Round
    from hafta.drill.subject import Subject

CALM = 2.0  # seconds after a drill in which the log may still say what it has done
SETTLE = 2.0  # seconds after READY in which a sequence says that it resumes
GOOD = 10.0  # seconds after READY for the first good node of a sequence that has resumed


class Running:
    """Drills one unit."""

    def __init__(self, subject: Subject, manager: Systemd | Embedded, measure: Measure, holder: Holder) -> None:
        self.subject = subject
        self._manager = manager
        self._measure = measure
        self._holder = holder

    def drill(self, drill: Drill, times: int) -> Outcome:
        """Do one drill, and undo it. Raises HaftaError if it cannot be done or undone."""
        manager = self._manager
        if why := why_not(drill, self.subject, manager.kind, of_user=manager.of_user):
            return Outcome(drill.name, ok=True, verdict=f"left out: {why}", is_skipped=True)
        unit, count = self.subject.unit, rounds(drill, self.subject, times)
        limit = count * (patience(drill, self.subject) + PATIENT + GOOD)
        self._holder.hold(Ended(manager.text, unit, drill.name))
        manager.note(DrillStarted(unit, drill.name, min(round(limit * 1e6), LIMIT_MAX)))
        self._holder.hold(Start(manager.text, unit))
        try:
            found = [self._end(drill) for _ in range(count)] if drill.way is Way.ENDS else [self._while(drill)]
        finally:
            self._holder.release()
        return outcome(drill, self.subject, found)

    def _end(self, drill: Drill) -> Round:
        """Do one round of a drill that ends the unit."""
        self._wait_for_budget()
        subject, started = self._up()
        if drill.signum == signal.SIGSTOP:
            self._holder.hold(Continue(subject.pid, started))
        else:
            self._holder.hold(Leaving(subject.pid, started))
        begin = now()
        if not signal_process(subject.pid, started, drill.signum):
            raise HaftaError(f"{subject.unit} ended before the drill", "run it again", status=exits.FAILED)
        return self._follow(begin, patience(drill, subject))

    def _while(self, drill: Drill) -> Round:
        """Do a drill that lasts for a while; undo it; return what came of it."""
        self._wait_for_budget()
        subject, _ = self._up()
        begin = now()
        end = CHANGES[drill.name](subject, self._manager, self._holder)
        try:
            until = time.monotonic() + lasts(self.subject)
            while time.monotonic() < until:
                self._holder.check()
                time.sleep(POLL)
        finally:
            end()
        self._holder.release()
        return self._see(begin, patience(drill, subject))

    def _see(self, begin: Moment, seconds: float) -> Round:
        """Wait until the log is quiet about what the drill has done, or the time is over; return what came of it."""
        end, quiet = time.monotonic() + seconds, time.monotonic() + CALM
        while True:
            found, state = self._measure.round(begin), self._find()
            at = time.monotonic()
            if at > end or (at > quiet and (found.is_back or not found.restarts) and state.is_up):
                return found.replace(at_end=state.state)
            time.sleep(POLL)

    def _follow(self, begin: Moment, seconds: float) -> Round:
        """Wait until the unit is back and works, or nobody starts it, or the time is over; return what came of it."""
        end, good, rests = time.monotonic() + seconds, 0.0, 0
        while True:
            self._holder.check()
            found, state = self._measure.round(begin), self._find()
            rests = rests + 1 if state.is_at_rest else 0
            at = time.monotonic()
            if found.is_back and state.is_up:
                good = good or at
                is_over = found.first_good is not None or at > good + (GOOD if found.resumed else SETTLE)
            else:
                is_over = rests >= AT_REST or at > end
            if is_over:
                return found.replace(at_end=state.state)
            time.sleep(POLL)

    def _find(self) -> Subject:
        found = self._manager.find(self.subject.unit)
        if found is None:
            raise HaftaError(f"{self.subject.unit} is gone", "see what removed it", status=exits.FAILED)
        return found

    def _up(self) -> tuple[Subject, int]:
        """Return the unit as it is up now, and when its main process began. Raises HaftaError if it is not up."""
        end = time.monotonic() + self.subject.patience
        while True:
            subject = self._find()
            process = read_process(subject.pid) if subject.is_up else None
            if process is not None and not process.is_dead:
                return subject, process.started
            if subject.is_at_rest or time.monotonic() > end:
                hint = f"see why: hafta log {subject.unit}"
                raise HaftaError(f"{subject.unit} is not up any more: {subject.state}", hint, status=exits.FAILED)
            time.sleep(POLL)

    def _wait_for_budget(self) -> None:
        """Wait until one more end leaves a start of the start limit unused. Raises HaftaError if that takes long."""
        while (seconds := pause(self.subject, *self._measure.starts(self.subject.interval))) > 0:
            if seconds > PATIENT:
                hint = f"see why it was started more often than by the drill: hafta log {self.subject.unit}"
                raise HaftaError(f"{self.subject.unit} has no restart left", hint, status=exits.FAILED)
            self._holder.check()
            time.sleep(min(seconds, 1.0))
