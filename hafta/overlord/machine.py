"""One unit's way through the table: remembers the result, the stop that was asked for, and the starts."""

from __future__ import annotations

from hafta.overlord.restart import Limit, judge, shall_restart
from hafta.overlord.table import Action, Event, State, move

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.overlord.restart import Outcome, Policy, Result


class Machine:
    """Takes events, answers with actions; `now` is any clock in seconds that only goes forward."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.state = State.INACTIVE
        self.result: Result = "success"
        self.outcome: Outcome | None = None
        self.late: State | None = None  # where it took too long first
        self.stop_asked = False
        self.restarts = 0
        self._limit = Limit(policy.limit_interval, policy.limit_burst)

    def handle(self, event: Event, now: float) -> tuple[Action, ...]:
        """Move on and return what is to be done. Ends of the main process go through `exited`."""
        cell = move(self.state, event)
        if Action.SPAWN in cell.actions:
            return self._start(now, event, cell.actions)
        if event in {Event.STOP, Event.KILL}:
            self.stop_asked = True
        self._note(event)
        if Action.DECIDE in cell.actions:
            return (*(action for action in cell.actions if action is not Action.DECIDE), *self._decide())
        self.state = cell.state or self.state
        return cell.actions

    def exited(self, outcome: Outcome, now: float) -> tuple[Action, ...]:
        """Take the end of the main process."""
        ready = self.state is not State.ACTIVATING
        result = judge(outcome, self.policy, ready=ready)
        self.outcome = outcome
        self._fail(result)
        remains = result == "success" and self.policy.remain and (ready or self.policy.type == "oneshot")
        return self.handle(Event.DONE if remains else Event.EXITED, now)

    def refuse(self) -> None:
        """Fail without a start: what the unit requires is not up."""
        self.result = "dependency"
        self.state = State.FAILED

    def _start(self, now: float, event: Event, actions: tuple[Action, ...]) -> tuple[Action, ...]:
        self.restarts = self.restarts + 1 if event is Event.TIMER else 0
        self.result, self.outcome, self.late, self.stop_asked = "success", None, None, False
        if not self._limit.admits(now):
            self.result = "start-limit-hit"
            self.state = State.FAILED
            return (Action.UNSET, Action.SAY_FAILED)
        self.state = State.ACTIVATING
        return actions

    def _note(self, event: Event) -> None:
        """Remember what ended it: the first cause counts."""
        if event is Event.HUNG and self.state in {State.ACTIVATING, State.ACTIVE}:
            self._fail("watchdog")
        elif event is Event.TIMER and self.state in {State.ACTIVATING, State.STOPPING, State.CLEARING}:
            self.late = self.late or self.state
            self._fail("timeout")
        elif event is Event.BROKEN and self.state is State.ACTIVATING:
            self._fail("resources")

    def _fail(self, result: Result) -> None:
        if self.result == "success":
            self.result = result

    def _decide(self) -> tuple[Action, ...]:
        if not self.stop_asked and shall_restart(self.result, self.outcome, self.policy):
            self.state = State.AUTO_RESTART
            return (Action.SAY_RESTARTING, Action.SET_RESTART)
        if self.result == "success":
            self.state = State.INACTIVE
            return (Action.SAY_STOPPED,)
        self.state = State.FAILED
        return (Action.SAY_FAILED,)
