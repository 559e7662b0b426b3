"""The fold: from the entries of one unit, in the order of the journal, to what it was at each moment.

TABLE says which rule carries out what an entry means in which state. The rules:

1. STARTED of a run that is not empty and has not ended: up; a restoration if it was down. Otherwise the start was
   skipped. While nothing is known of the unit, the message must begin with "Started" or "Finished", too.
2. EXITED counts only for the main process. Unless it was asked to stop, an up unit is down from then on.
3. A watchdog timeout begins being down before the process has ended.
4. FAILED tells the cause of a run that has ended, or ends one whose exit is not in the journal. A second one never
   counts.
5. START_FAILED after a restart was scheduled, without a start: down for good (the start limit). A dependency or an
   assertion that failed: down for good.
6. DEACTIVATED, unasked, waits for the unit's next entry: RESTARTING means that it was down since then, STOPPED by a
   job that it was stopped since then. Otherwise it ended by itself, and is stopped. Under a user's manager, which does
   not write it, the service's own `service-stopped` says it.
7. RESTARTING: an automatic restart. The wait for it was held. If the end of the run is not in the journal, nothing is
   known between its last sign of life and now.
8. STOPPING: asked to stop. STOPPED by a job of type stop: stopped. By one of type restart: by hand, unless RESTARTING
   came before.
9. `service-held-back`: held, until it is up.
10. What stops between the first sign of a shutdown and the end of the journal does so with the machine, until it is up
    again.
11. If the journal begins without having stopped, the machine died, unless journald did. What it was is known until the
    last entry of anybody, or a later proof; then unknown until the boot begins; then it is the machine's fault until
    it is up again.
12. A new run while the old one has no end: unknown since the old one's last sign of life.
13. `close` asks the manager what is open: what it says of now is so; since when, only if it says that, too.
14. A start by hand or at boot changes nothing until it is up; from its first failure on the unit is down.
15. The workers of a warm service: hafta/observe/warm.py.
16. What goes down in a drill does not count: hafta/observe/drills.py.
17. Of an event log, the beginning and the end of an overlord are those of the journal in a container: rule 11. What is
    damaged or missing there may have been anything: nothing is known since the last sign of life, until the next start.

The invariant, which the tests hold against a model that works second by second: *where the fold says anything but
unknown, it was so*: also if the head of the journal is missing, or one entry of the manager. Two of those are not made
up for, because what is left is what happens otherwise: STOPPING, and RESTARTING after a clean exit.
"""

from __future__ import annotations

from hafta.observe.embedded import parts
from hafta.observe.entry import Trust
from hafta.observe.intervals import Class
from hafta.observe.kinds import Kind
from hafta.observe.outages import Run, cause_of_exit, cause_of_result
from hafta.observe.standing import MISSING, State
from hafta.observe.warm import Warm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.observe.entry import Entry


_ROWS = """
                 NEW       STARTING   UP        ENDED      DOWN      GONE      STOPPED    OFF
STARTING         begin     begin      begin     begin      begin     begin     begin      begin
STARTED          up        up         up        up         up        up        up         up
EXITED           end       end        end       late       end       end       late       late
FAILED           end       end        end       late       end       end       late       late
HUNG             hung      -          hung      -          -         -         -          -
OUT_OF_MEMORY    -         hint       hint      hint       hint      -         -          -
SIGNALLED        -         hint       hint      hint       hint      -         -          -
START_FAILED     refused   refused    -         refused    refused   refused   refused    refused
DEACTIVATED      -         left       left      -          left      -         -          -
RESTARTING       again     again      again     again      again     again     missed     missed
STOPPING         stopping  stopping   stopping  stopping   stopping  stopping  missed     missed
STOPPED          stopped   stopped    stopped   stopped    stopped   -         handed     handed
HELD_BACK        -         -          held      -          held      -         -          -
NOT_COUNTED      -         -          held      -          held      -         -          -
WORKER_HUNG      stuck     -          stuck     -          stuck     -         -          -
WORKER_REPLACED  replaced  -          replaced  -          replaced  -         -          -
SERVICE_STOPPED  -         -          over      -          -         -         -          -
"""


def _table() -> dict[Kind, dict[State, str]]:
    head, *rows = [line.split() for line in _ROWS.strip().splitlines()]
    states = [State[name] for name in head]
    return {Kind[name]: dict(zip(states, cells, strict=True)) for name, *cells in rows}


TABLE = _table()
_WITHOUT_END = "its end is not in the journal"


#: What a service says itself.
OWN = (
    Kind.HELD_BACK, Kind.NOT_COUNTED, Kind.WORKER_HUNG, Kind.WORKER_REPLACED, Kind.SERVICE_STOPPED, Kind.RESUMED,
)  # fmt: skip


class Fold(Warm):
    """One unit, as the entries say."""

    def feed(self, entry: Entry) -> None:
        """Take the next entry."""
        if entry.trust not in (Trust.UNVERIFIED, Trust.LATE) and self._concerns(entry):
            self._of_machine(entry)
        if entry.trust is Trust.MACHINE:
            return
        if entry.trust is Trust.DRILL:
            self._drilled(entry)
        elif entry.trust is Trust.LATE:
            self.tally.late(entry, self.run.name, self.ended)
        elif entry.trust is not Trust.UNVERIFIED and entry.unit == self.unit:
            if entry.trust is Trust.MANAGER:
                self._told = self._told[1], max(self._told[1], entry.at)
            else:
                self.tally.add(entry)
            for part in parts(entry):
                self._carry_out(part)

    def _drilled(self, entry: Entry) -> None:
        if entry.unit == self.unit and entry.kind is Kind.DRILL_STARTED:
            self.machine.drills.begin(entry.at, entry.number("HAFTA_LIMIT_USEC"), entry.fields.get("HAFTA_DRILL", ""))
        elif entry.unit == self.unit:
            self.machine.drills.end(entry.at)

    def _carry_out(self, entry: Entry) -> None:
        action = TABLE.get(entry.kind, {}).get(self.state, "-")
        own = entry.kind in OWN
        if own and entry.trust is Trust.SERVICE and entry.kind is Kind.RESUMED:
            self._resumed(entry)
        elif action != "-" and own == (entry.trust is Trust.SERVICE):
            getattr(self, f"_{action}")(entry, max(entry.at, self._told[1]) if not own else entry.at)
        if entry.run == self.run.name and (self.state is State.UP or self.run.begun is not None):
            self.run.proof = max(self.run.proof, entry.at)

    # What an entry means: the words of the table. Each gets the entry, and the time that counts.

    def _begin(self, entry: Entry, at: int) -> None:
        if entry.run and entry.run == self.run.name:
            return
        self._new_run(entry, at)
        if self.state in (State.DOWN, State.GONE):
            self.state = State.DOWN
            self.track.turn(at, Class.DOWN, "start")
        else:
            self.state = State.STARTING
        self.run.begun = at

    def _up(self, entry: Entry, at: int) -> None:
        if not entry.run or entry.run in self.ended or (entry.run == self.run.name and self.state is State.UP):
            return
        if self.state is State.NEW and not _says_started(entry):
            return
        if entry.run != self.run.name:
            self._new_run(entry, at)
        if self.run.deactivated is not None:  # a oneshot: it is over when its start is
            self._settle(at, State.STOPPED, "ended by itself")
            return
        if self.run.by_hand:
            self.tally.asked.append(at)
            self.run.by_hand = False
        if self.state in (State.DOWN, State.GONE):
            self._end_outage(at, "restored")
        self.run.begun = None
        self.state = State.UP
        self.track.turn(at, Class.UP, run=self.run.name)

    def _end(self, entry: Entry, at: int) -> None:
        """A run has ended, and was not asked to (EXITED, FAILED)."""
        is_exit = entry.kind is Kind.EXITED
        if is_exit and entry.fields.get("COMMAND", "ExecStart") != "ExecStart":
            return
        cause = cause_of_exit(entry) if is_exit else cause_of_result(entry)
        if entry.run in self.ended:
            self._refine(entry, cause, is_exit=is_exit)
            return
        cause = self.run.hint or cause or "failed"
        if self.state is State.NEW:
            self.run = Run(entry.run, at, self.track.since)
        elif entry.run and entry.run != self.run.name:
            self._overlook(at)
            self.run = Run(entry.run, at)
            self.tally.uncertain.append(at)
        self.run.unsettled = self.run.begun
        if self.state in (State.DOWN, State.GONE):
            self.outages[-1].failed_starts += self.run.begun is not None
        else:
            self._fall(at, cause, is_failure=self.state is State.UP)
        self.track.turn(at, Class.DOWN, "wait", self.run.name)
        self._close_run(at)
        self.run.refined = not is_exit

    def _refine(self, entry: Entry, cause: str, *, is_exit: bool) -> None:
        if entry.run != self.run.name or is_exit or self.run.refined or not self.outages:
            return
        self.run.refined = True
        outage = self.outages[-1]
        if outage.run == entry.run and cause and not self.run.hint and outage.until is None:
            outage.cause = cause
            if cause == "hang":  # the watchdog's own entry is missing
                self.track.correct(self.run.proof, Class.UNKNOWN, MISSING)
                self.track.turn(self.ended[entry.run], Class.DOWN, "wait", entry.run)

    def _late(self, entry: Entry, at: int) -> None:
        """The end of a run that was asked to stop, or of one that was never seen."""
        if entry.kind is Kind.EXITED and entry.fields.get("COMMAND", "ExecStart") != "ExecStart":
            return
        if entry.run and entry.run != self.run.name and entry.run not in self.ended:
            self._missed(entry, at)

    def _hung(self, entry: Entry, at: int) -> None:
        if self.state is State.NEW:
            self.track.was_from_the_beginning(Class.UP, entry.run)
            self.run = Run(entry.run, at)
        elif entry.run and entry.run != self.run.name:
            return
        self._fall(at, "hang", is_failure=True)
        self.run.hint = "hang"
        self.track.turn(at, Class.DOWN, "abort", self.run.name)

    def _hint(self, entry: Entry, _at: int) -> None:
        if entry.run == self.run.name and not self.run.hint:
            self.run.hint = "oom" if entry.kind is Kind.OUT_OF_MEMORY else "killed by hand"

    def _refused(self, entry: Entry, at: int) -> None:
        """A start failed: START_FAILED."""
        result = entry.fields.get("JOB_RESULT", "")
        for_good = result in ("dependency", "assert") or self.run.restart or self.run.begun is None
        if self.state is State.ENDED:
            self._by_itself()
        if self.state is State.DOWN and not for_good:
            self._fail_start(at)
            return
        if self.state in (State.DOWN, State.GONE):
            if self.run.restart or result in ("dependency", "assert"):
                self.state = State.GONE
                self.outages[-1].given_up = result if result != "failed" else "start limit"
                self.track.turn(at, Class.DOWN, "given up")
            self.run.unsettled = None  # so it had not been up
            return
        cause = result if result != "failed" else "start"
        self._fall(at, cause or "start", is_failure=False)
        self.track.turn(at, Class.DOWN, "wait")
        self._close_run(at)
        if for_good:
            self.state = State.GONE
            self.outages[-1].given_up = cause

    def _left(self, entry: Entry, at: int) -> None:
        if entry.run and entry.run != self.run.name:
            return
        self.run.deactivated = at
        if self.state is State.UP:
            self.state = State.ENDED

    def _over(self, entry: Entry, at: int) -> None:
        if self.is_user and entry.run == self.run.name:
            self.run.deactivated = max(at, self.track.since)
            self.state = State.ENDED

    def _again(self, entry: Entry, at: int) -> None:
        """A restart is scheduled."""
        if entry.run and entry.run != self.run.name and self.state is not State.NEW:
            if entry.run not in self.ended:
                self._missed(entry, at)
                self._restart(entry, at)
            return
        if self.state is State.ENDED:
            since = self.run.deactivated or at
            self.track.correct(since, Class.HELD, "wait", self.run.name)
            self._fall(since, self.run.hint or "clean exit", is_failure=True)
        elif self.state is State.UP:
            self.track.correct(self.run.proof, Class.UNKNOWN, _WITHOUT_END)
            self._fall(at, self.run.hint or "clean exit", is_failure=True)
        elif self.run.begun is not None:  # it had been up, or its end is missing
            since = at if self.run.deactivated is None else self.run.deactivated
            self.track.correct(self.run.begun, Class.UNKNOWN, MISSING)
            self.track.turn(since, Class.HELD, "wait", self.run.name)
            self._fall(since, self.run.hint or "clean exit", is_failure=False)
            self.tally.uncertain.append(at)
        elif self.state is State.NEW:
            self._fall(at, self.run.hint or "failed", is_failure=False)
        elif self.track.now is Class.DOWN:
            if self.run.unsettled is not None:
                self._was_up(self.run.unsettled)
            self.track.relabel(Class.HELD, "wait")
        if self.state is State.NEW:
            self.run = Run(entry.run, at)
        self._restart(entry, at)

    def _restart(self, entry: Entry, at: int) -> None:
        self.tally.restart(entry.number("N_RESTARTS"))
        self.track.turn(at, Class.DOWN, "begin", self.run.name)
        self._close_run(at)
        self.run.restart, self.run.deactivated = True, None
        self.state = State.DOWN

    def _stopping(self, entry: Entry, at: int) -> None:
        if self.state is State.NEW:
            self.track.was_from_the_beginning(Class.UP, entry.run)
            self.run = Run(entry.run, at)
        elif entry.run and entry.run != self.run.name:
            if entry.run in self.ended:
                return
            self._missed(entry, at)
        elif self.state is State.ENDED:
            self._by_itself()
        elif self.run.begun is not None:  # a start that is stopped writes no such entry: it had been up
            self.track.correct(self.run.begun, Class.UNKNOWN, MISSING)
        self._settle(at, State.STOPPED, "asked")

    def _stopped(self, entry: Entry, at: int) -> None:
        if entry.fields.get("JOB_TYPE") != "stop":
            if self.state is State.UP:  # that it was asked to stop is missing
                self._overlook(at)
                self._settle(at, State.STOPPED, "asked")
                self.run.by_hand = True
            return
        since = at
        if self.state in (State.ENDED, State.DOWN) and self.run.deactivated is not None:
            since = self.run.deactivated
        elif self.state is State.UP:
            self._overlook(at)
        self.track.correct(since, *self._asked())
        self._settle(at, State.STOPPED, "asked")

    def _handed(self, entry: Entry, at: int) -> None:
        if entry.run and entry.run != self.run.name and entry.run not in self.ended:
            self._overlook(at)
            self._settle(at, State.STOPPED, "asked")
            self.run = Run(entry.run, at)
            self._close_run(at)
        self.run.by_hand = entry.fields.get("JOB_TYPE") == "restart"

    def _missed(self, entry: Entry, at: int) -> None:
        """An entry of a run whose beginning is missing: nothing is known since the last end."""
        if entry.run in self.ended or entry.run == self.run.name:
            return
        self._overlook(at)
        self.run = Run(entry.run, at)
        if entry.kind is Kind.STOPPING:
            self._settle(at, State.STOPPED, "asked")
            return
        self.tally.uncertain.append(at)
        self._fall(at, "failed" if entry.kind is Kind.FAILED else cause_of_exit(entry), is_failure=False)
        self.track.turn(at, Class.DOWN, "wait", entry.run)
        self._close_run(at)

    def _resumed(self, entry: Entry) -> None:
        """Where the dead run had got to is a proof that it lived until then: rule 11."""
        if self.run.worker.is_warm:  # it was a worker of this run
            return
        self.track.reaches(Class.UP, entry.at - entry.number("HAFTA_AGE_USEC"), self._died)


def _says_started(entry: Entry) -> bool:
    """Tell whether it is a start, and not a start that was skipped, of which the embedded overlord writes another."""
    return "HAFTA_EVENT" in entry.fields or entry.fields.get("MESSAGE", "").startswith(("Started ", "Finished "))
