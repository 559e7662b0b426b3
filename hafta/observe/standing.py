"""Where the fold stands with one unit, and what its rules (hafta/observe/fold.py) have in common."""

from __future__ import annotations

from enum import Enum

from hafta.eventlog.format import LOG
from hafta.observe.entry import Trust
from hafta.observe.intervals import Class, Track
from hafta.observe.kinds import Kind
from hafta.observe.machine import Machine
from hafta.observe.outages import Outage, Run
from hafta.observe.tally import Tally

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.observe.entry import Entry

MISSING = "entries are missing"
DAMAGED = "entries are damaged or missing"


class State(Enum):
    """Where the fold stands with a unit."""

    NEW = "nothing is known"
    STARTING = "starting, by hand or at boot"
    UP = "up"
    ENDED = "ended, and not yet known why"
    DOWN = "down, to be started again"
    GONE = "down for good"
    STOPPED = "stopped"
    OFF = "with the machine"


class Standing:
    """One unit. `begin`: when what the source can see begins. `is_user`: a user's manager runs it."""

    def __init__(self, unit: str, begin: int, *, is_user: bool = False) -> None:
        self.unit = unit
        self.is_user = is_user
        self.state = State.NEW
        self.track = Track(begin)
        self.run = Run("", begin)
        self.ended: dict[str, int] = {}  # runs: when they ended
        self.outages: list[Outage] = []
        self.tally = Tally()
        self.machine = Machine()
        self._told = begin, begin  # when the manager wrote its last two entries, which are in order

    @property
    def told(self) -> int:
        """When the manager wrote its newest entry."""
        return self._told[1]

    @property
    def seen(self) -> int:
        """Until when the manager has told what the unit was."""
        return max(self._told[1], self.track.since)

    def finish(self, run: str | None) -> None:
        """Nothing follows. `run`: the one that the manager names; None: it was not asked."""
        death = self.machine.take_pending()
        if death and run is not None and run != self.run.name and not self._is_over():
            self._off(*death)
        if self.state is State.ENDED:
            self._by_itself()

    def give_up(self, at: int, why: str) -> None:
        """From `at` on nothing is known."""
        self.track.correct(at, Class.UNKNOWN, why)
        self._end_outage(at, "unknown")
        self._close_run(at)

    # The machine.

    def _concerns(self, entry: Entry) -> bool:
        """Tell whether an entry is one of the event log in which those of the unit are, or of the journal."""
        log = entry.fields.get(LOG, "")
        if entry.trust is Trust.MACHINE:
            return log == self.machine.log
        if entry.trust is Trust.MANAGER and entry.unit == self.unit:
            self.machine.is_of(log)
        return entry.unit == self.unit or not log

    @property
    def _died(self) -> str:
        return "the overlord was killed" if self.machine.log else Machine.DIED

    def _of_machine(self, entry: Entry) -> None:
        if (
            entry.kind is Kind.SUPPRESSED
            and entry.trust is Trust.MACHINE
            and entry.fields.get("OBJECT_SYSTEMD_UNIT", self.unit) == self.unit
        ):
            self.tally.suppress(entry)
        if entry.kind is Kind.DAMAGED:
            self._miss_some(entry.at)
        what = self.machine.feed(entry)
        if what == "off":
            self._off(self.machine.at, self.machine.at)
        elif what == "died":
            self._off(self.machine.known_until, self.machine.at)

    def _off(self, known_until: int, begin: int) -> None:
        """The machine went down, and is back since `begin`: what it was is known until `known_until`."""
        if self.state is State.ENDED:
            self._by_itself()
        if self.state is State.NEW:
            self.state = State.STOPPED
            self.track.turn(begin, Class.STOPPED, "not started yet")
        elif self.state is not State.STOPPED:
            since = max(known_until, self.run.proof if self.state is State.UP else 0)
            if self.run.begun is not None and self.run.proof > self.run.begun:  # that it was up may be missing
                self.track.correct(self.run.begun, Class.UNKNOWN, MISSING)
            if known_until < begin:
                self.track.correct(min(since, begin), Class.UNKNOWN, self._died)
            self._end_outage(min(since, begin), "machine")
            self._close_run(min(since, begin))
            self.state = State.OFF
            self.track.turn(begin, Class.MACHINE, "no overlord" if self.machine.log else "reboot")

    def _miss_some(self, at: int) -> None:
        """Entries are damaged or missing, and may be of this unit."""
        if self.state in (State.NEW, State.STOPPED):
            self.track.turn(at, Class.UNKNOWN, DAMAGED)
            return
        since = self.run.proof if self.state is State.UP else self.seen
        self._end_outage(since, "unknown")
        self.track.correct(min(since, at), Class.UNKNOWN, DAMAGED)
        self._close_run(since)
        self.state = State.STOPPED

    # What the rules have in common.

    def _new_run(self, entry: Entry, at: int) -> None:
        """A run begins. What went before it must have ended."""
        death = self.machine.take_pending()
        if death and not self._is_over():
            self._off(*death)
        elif self.state is State.ENDED:
            self._by_itself()
        elif self.state is State.OFF and self.machine.is_shutting:  # it did not shut down after all
            self.track.relabel(Class.STOPPED, "asked")
        elif not self._is_over():
            self._overlook(at)
        by_hand = self.run.by_hand and self.state is State.STOPPED
        self.run = Run(entry.run, at)
        self.run.by_hand = by_hand

    def _is_over(self) -> bool:
        return not self.run.name or self.run.name in self.ended or self.state in (State.NEW, State.OFF, State.STOPPED)

    def _overlook(self, at: int) -> None:
        """What happened since the last sign of life of the run is not in the journal."""
        since = self.run.proof if not self._is_over() else max(self._told[0], self.track.since)
        self._end_outage(since, "unknown")
        self.track.correct(min(since, at), Class.UNKNOWN, MISSING)
        self._close_run(since)
        self.state = State.STOPPED

    def _fall(self, at: int, cause: str, *, is_failure: bool) -> None:
        self._end_outage(at, "unknown")
        self.outages.append(Outage(at, cause, self.run.name, is_failure=is_failure))
        self.outages[-1].drill = self.machine.drills.at(at)
        self.state = State.DOWN

    def _fail_start(self, at: int) -> None:
        """A start failed, of which nothing else was told."""
        if self.run.name in self.ended:
            return
        self.outages[-1].failed_starts += 1
        self.track.turn(at, Class.DOWN, "wait")
        self._close_run(at)

    def _end_outage(self, at: int, outcome: str) -> None:
        if self.outages and self.outages[-1].until is None:
            self.outages[-1].end(at, outcome)

    def _close_run(self, at: int) -> None:
        self.run.begun = None
        if self.run.name:
            self.ended.setdefault(self.run.name, at)

    def _by_itself(self) -> None:
        since = self.run.deactivated or self.track.since
        self.track.correct(since, Class.STOPPED, "ended by itself")
        self._settle(since, State.STOPPED, "ended by itself")

    def _asked(self) -> tuple[Class, str]:
        return (Class.MACHINE, "shutdown") if self.machine.is_shutting else (Class.STOPPED, "asked")

    def _settle(self, at: int, state: State, part: str) -> None:
        """It is stopped, by whatever means."""
        what, why = self._asked() if part == "asked" else (Class.STOPPED, part)
        self.state = State.OFF if what is Class.MACHINE else state
        if self.track.now is not what:
            self.track.turn(at, what, why)
        self._end_outage(at, "machine" if what is Class.MACHINE else "stopped")
        self._close_run(at)

    def _was_up(self, since: int) -> None:
        """A run ended, and no start failed: so it had been up, and the entry that said so is missing."""
        outage = self.outages[-1]
        if outage.run == self.run.name and since == self.track.begin:
            outage.is_failure = self.track.was_from_the_beginning(Class.UP, self.run.name)
            return
        self.tally.uncertain.append(self.ended[self.run.name])
        self.track.correct(since, Class.UNKNOWN, MISSING)
        self.track.turn(self.ended[self.run.name], Class.DOWN, "wait", self.run.name)
