"""All units together: takes events one at a time, starts and stops in order, passes ends on to dependents."""

from __future__ import annotations

from collections import deque

from hafta.journal.overlord_events import UnitFailed
from hafta.overlord.order import LATER, NOW, Order
from hafta.overlord.table import ENDING, RESTING, Event, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hafta.journal.event import Event as JournalEvent
    from hafta.overlord.restart import Outcome
    from hafta.overlord.runner import Runner
    from hafta.overlord.unit import Unit

_AT_REST = frozenset((State.INACTIVE, State.FAILED))
_UP = frozenset((State.ACTIVATING, State.ACTIVE))


class Manager:
    """Runners by name. `settle` brings all that is pending to its end."""

    def __init__(self, units: Mapping[str, Unit], report: Callable[[JournalEvent], None]) -> None:
        self.order = Order(units)
        self.runners: dict[str, Runner] = {}
        self.stopping = False
        self._report = report
        self._queue: deque[tuple[Runner, Event]] = deque()
        self._waiting: set[str] = set()  # for their start
        self._leaving: set[str] = set()  # stopped, each when its turn has come
        self._told: set[str] = set()  # to stop
        self._again: set[str] = set()  # of those that leave: started again as soon as they rest
        self._done: set[str] = set()  # oneshots that have ended well

    def start_all(self) -> None:
        """Ask for a start of every unit."""
        self._waiting = set(self.runners)

    def stop_all(self) -> None:
        """Ask for a stop of every unit, each when its turn has come."""
        self.stopping = True
        self._waiting.clear()
        self._again.clear()

    def kill_all(self) -> None:
        """End every unit at once."""
        self.stop_all()
        for runner in self.runners.values():
            self.post(runner, Event.KILL)

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to run."""
        if self.stopping:
            return all(runner.state in _AT_REST or runner.is_stuck for runner in self.runners.values())
        live = [runner for runner in self.runners.values() if runner.unit.is_service and runner.state not in _AT_REST]
        return not (live or self._waiting or self._queue)

    def post(self, runner: Runner, event: Event) -> None:
        """Queue an event."""
        self._queue.append((runner, event))

    def exited(self, runner: Runner, outcome: Outcome) -> None:
        """Take the end of a main process."""
        before = runner.state
        runner.exited(outcome)
        self._changed(runner, before)

    def look(self) -> None:
        """Let each unit that is being ended find out whether it has."""
        for runner in self.runners.values():
            if runner.state in ENDING:
                runner.look()

    def settle(self) -> None:
        """Handle what is queued, and start or stop whose turn has come, until nothing is left to do now."""
        while self._queue or self._advance():
            if not self._queue:
                continue
            runner, event = self._queue.popleft()
            if event is Event.TIMER and runner.state is State.AUTO_RESTART:
                self._ask(runner.name)
            else:
                self._take(runner, event)

    def _take(self, runner: Runner, event: Event) -> None:
        before = runner.state
        runner.handle(event)
        self._changed(runner, before)

    def _ask(self, name: str) -> None:
        """Have a unit start again, with what it requires, each when its turn has come; but not one that is to stop."""
        if self.stopping or name in self._leaving:
            return
        self._waiting.add(name)
        for other in self.order.required(name):
            if self.runners[other].state in _AT_REST and other not in self._waiting | self._done:
                self._ask(other)

    def _changed(self, runner: Runner, before: State) -> None:
        state = runner.state
        if state is before or state not in RESTING:
            return
        runner.remove_directories(restarts=state is State.AUTO_RESTART or runner.name in self._again)
        if state is State.AUTO_RESTART:
            self._take_along(runner.name)
            return
        self._leaving.discard(runner.name)
        self._told.discard(runner.name)
        if state is State.INACTIVE and runner.unit.policy.type == "oneshot":
            self._done.add(runner.name)
        if runner.name in self._again:
            self._again.discard(runner.name)
            self._waiting.add(runner.name)
        else:
            for name in self.order.bound_to(runner.name):
                self._leave(name)

    def _take_along(self, restarted: str) -> None:
        """Have all that is up and goes with a unit stop and start again."""
        for name in self.order.dependents(restarted):
            if self.runners[name].state in _UP and name not in self._leaving:
                self._leaving.add(name)
                self._again.add(name)
                self._take_along(name)

    def _leave(self, name: str) -> None:
        """Have a unit stop, and all that goes with it."""
        self._waiting.discard(name)
        self._again.discard(name)
        if self.runners[name].state not in _AT_REST and name not in self._leaving:
            self._leaving.add(name)
            for other in self.order.dependents(name):
                self._leave(other)

    def _advance(self) -> bool:
        """Ask for the next stop or start; False if there is none now."""
        return self._stop_next() or (not self.stopping and self._start_next())

    def _start_next(self) -> bool:
        states = {name: runner.state for name, runner in self.runners.items()}
        ending = {name: states[name] for name in self._leaving}
        for name in self.order.sequence:
            if name not in self._waiting or not self.order.may_stop(name, ending):
                continue
            answer = self.order.may_start(name, self._waiting | self._leaving, states, self._done)
            if answer == LATER:
                continue
            self._waiting.discard(name)
            if answer == NOW:
                self._start(self.runners[name])
            else:
                self._refuse(self.runners[name], answer)
            return True
        return False

    def _start(self, runner: Runner) -> None:
        self._done.discard(runner.name)
        self._take(runner, Event.TIMER if runner.state is State.AUTO_RESTART else Event.START)

    def _refuse(self, runner: Runner, missing: str) -> None:
        before = runner.state
        runner.machine.refuse()
        self._report(UnitFailed(runner.name, f"it requires {missing}, which is not up"))
        self._changed(runner, before)

    def _stop_next(self) -> bool:
        live = {name: runner.state for name, runner in self.runners.items() if runner.state not in _AT_REST}
        states = {name: state for name, state in live.items() if self.stopping or name in self._leaving}
        for name in reversed(self.order.sequence):
            if name in states and name not in self._told and self.order.may_stop(name, states):
                self._told.add(name)
                self.post(self.runners[name], Event.STOP)
                return True
        return False
