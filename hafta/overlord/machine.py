"""One unit's way through the table: remembers the result, the stop that was asked for, and the starts.

A phase without commands is passed at once, as if they were done: so the table has one way for all units.
"""

from __future__ import annotations

from hafta.overlord.table import PHASES, STARTING, UP, Action, Event, State, move
from hafta.units.restart import Limit, judge, judge_command, shall_restart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from hafta.units.restart import Outcome, Policy, Result

_RELOADS = frozenset((State.RELOAD, State.RELOAD_SIGNAL, State.RELOAD_NOTIFY))
#: A time that is over in one of these makes the unit fail.
_TIMED = STARTING | {State.STOP, State.STOPPING, State.CLEARING, State.STOP_POST, State.FINAL}
_BEGUN = frozenset((Action.RUN, Action.SIGNAL))


class Machine:
    """Takes events, answers with actions; `now` is any clock in seconds that only goes forward.

    `phases` are those that have commands, by their names (units.unit.Commands).
    """

    def __init__(self, policy: Policy, phases: Container[str] = ()) -> None:
        self.policy = policy
        self.state = State.INACTIVE
        self.result: Result = "success"
        self.reload_result: Result = "success"
        self.outcome: Outcome | None = None  # how the main process ended, if it has
        self.cause: State | None = None  # where it failed first
        self.stop_asked = False
        self.restarts = 0
        self._limit = Limit(policy.limit_interval, policy.limit_burst)
        self._passed = {state for state, name in PHASES.items() if name not in phases}
        if policy.type != "notify-reload":
            self._passed.add(State.RELOAD_SIGNAL)

    def handle(self, event: Event, now: float) -> tuple[Action, ...]:
        """Move on and return what is to be done. Ends of processes go through `exited` and `phase_ended`."""
        actions = self._step(event, now)
        while self.state in self._passed:
            entered = tuple(action for action in actions if action not in _BEGUN)
            # Nothing has come to life in a stop-post without commands: the unit is as empty as when it came there.
            event = Event.EMPTY if self.state is State.STOP_POST else Event.NEXT
            actions = (*entered, *self._step(event, now))
        return actions

    def exited(self, outcome: Outcome, now: float, *, forgiven: bool = False, more: bool = False) -> tuple[Action, ...]:
        """Take the end of the main process. Any end is `forgiven` if its command has the prefix `-`.

        `more` says that ExecStart= of a oneshot has another command.
        """
        starting = self.state is State.START
        result = judge(outcome, self.policy, ready=not starting, forgiven=forgiven)
        self.outcome = outcome
        self._fail(result)
        return self.handle(self._end(result, starting=starting, more=more), now)

    def phase_ended(self, result: Result, now: float) -> tuple[Action, ...]:
        """Take the end of the last command of a phase, or of the first one that failed."""
        if self.state in _RELOADS:
            self.reload_result = result if self.reload_result == "success" else self.reload_result
        else:
            self._fail(result)
        if result == "exec-condition":
            return self.handle(Event.SKIP, now)
        if result != "success":
            return self.handle(Event.BAD, now)
        return self.handle(Event.READY if self.state is State.START else Event.NEXT, now)

    def judge_command(self, outcome: Outcome, *, forgiven: bool) -> Result:
        """Return what the end of a control process counts as."""
        if self.state is State.START and not forgiven:  # Type=forking
            return judge(outcome, self.policy, ready=True)
        return judge_command(outcome, self.policy, forgiven=forgiven, asks=self.state is State.CONDITION)

    def refuse(self, result: Result) -> None:
        """Fail without a start: what the unit requires is not up, or what it asserts is not so."""
        self.result = result
        self.state = State.FAILED

    def skip(self) -> None:
        """Stay at rest instead of starting: the unit's conditions are not met."""
        if self.state is State.AUTO_RESTART:
            self.state = State.INACTIVE

    def _end(self, result: Result, *, starting: bool, more: bool) -> Event:
        """Return what the end of the main process is to the table."""
        if result != "success":
            return Event.EXITED
        if starting and self.policy.type == "oneshot":
            return Event.MORE if more else Event.DONE
        if starting and self.policy.type in {"notify", "notify-reload"}:
            return Event.ALONE
        return Event.DONE if self.policy.remain and not starting else Event.ENDED

    def _step(self, event: Event, now: float) -> tuple[Action, ...]:
        event = self._seen_by_main(event)
        cell = move(self.state, event)
        if Action.BEGIN in cell.actions:
            return self._start(now, event, cell.actions)
        if event in {Event.STOP, Event.KILL}:
            self.stop_asked = True
        self._note(event)
        if Action.DECIDE in cell.actions:
            return (*(action for action in cell.actions if action is not Action.DECIDE), *self._decide())
        if cell.state and cell.state is not self.state and cell.state in _RELOADS and self.state not in _RELOADS:
            self.reload_result = "success"
        self.state = cell.state or self.state
        return cell.actions

    def _seen_by_main(self, event: Event) -> Event:
        """Return what the end of a phase is where the main process has ended meanwhile: it ends the unit only now."""
        reload_over = self.state is State.RELOAD and event in {Event.NEXT, Event.BAD}
        if self.outcome is None or not (reload_over or (self.state is State.START_POST and event is Event.NEXT)):
            return event
        if self.result != "success":
            return Event.LOST
        return event if self.policy.remain else Event.OVER

    def inherit(self, other: Machine) -> None:
        """Stand where another one stands, which is at rest."""
        self.state, self.result, self.outcome, self.restarts = other.state, other.result, other.outcome, other.restarts
        before, now = other.policy, self.policy
        if (before.limit_interval, before.limit_burst) == (now.limit_interval, now.limit_burst):
            self._limit = other._limit

    def reset(self) -> None:
        """Forget a failure, and the starts that count against the start limit."""
        if self.state is State.FAILED:
            self.state, self.result = State.INACTIVE, "success"
        self._limit = Limit(self.policy.limit_interval, self.policy.limit_burst)

    def _start(self, now: float, event: Event, actions: tuple[Action, ...]) -> tuple[Action, ...]:
        self.restarts = self.restarts + 1 if event is Event.TIMER else 0
        self.result, self.outcome, self.cause, self.stop_asked = "success", None, None, False
        if not self._limit.admits(now):
            self.result = "start-limit-hit"
            self.state = State.FAILED
            return (Action.UNSET, Action.SAY_FAILED)
        self.state = State.CONDITION
        return actions

    def _note(self, event: Event) -> None:
        """Remember what ended it: the first cause counts."""
        if event is Event.HUNG and self.state in UP | {State.START, State.START_POST}:
            self._fail("watchdog")
        elif event is Event.TIMER and self.state in _TIMED:
            self._fail("timeout")
        elif event is Event.TIMER and self.state in _RELOADS:
            self.reload_result = "timeout"
        elif event is Event.BAD and self.state in _RELOADS:
            self.reload_result = self.reload_result if self.reload_result != "success" else "resources"
        elif event in {Event.BROKEN, Event.BAD} and self.state in PHASES.keys() | {State.START}:
            self._fail("resources")  # unless it is known already what was bad
        elif event is Event.EMPTY and self.state in STARTING:
            self._fail("protocol")

    def _fail(self, result: Result) -> None:
        if self.result == "success" and result != "success":
            self.result, self.cause = result, self.state

    def _decide(self) -> tuple[Action, ...]:
        if not self.stop_asked and shall_restart(self.result, self.outcome, self.policy):
            self.state = State.AUTO_RESTART
            return (Action.SAY_RESTARTING, Action.SET_RESTART)
        if self.result in {"success", "exec-condition"}:
            self.state = State.INACTIVE
            return (Action.SAY_STOPPED,)
        self.state = State.FAILED
        return (Action.SAY_FAILED,)
