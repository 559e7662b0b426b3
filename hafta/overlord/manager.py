"""All units together: takes events one at a time, starts and stops in order, passes ends on to dependents."""

from __future__ import annotations

import time
from collections import deque

from hafta.journal.overlord_events import UnitFailed, UnitSkipped
from hafta.overlord.following import Following
from hafta.overlord.history import History
from hafta.overlord.order import LATER, NOW, Order
from hafta.overlord.socket_table import SocketEvent
from hafta.overlord.standing import AT_REST, Agenda, Some, Standing
from hafta.overlord.table import RESTING, STARTING, UP, Event, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from hafta.journal.event import Event as JournalEvent
    from hafta.overlord.runner import Runner
    from hafta.overlord.table import Happening
    from hafta.units.conditions import Verdict
    from hafta.units.restart import Outcome, Result
    from hafta.units.unit import Unit

    Inquire = Callable[[Unit, Callable[[Verdict], None]], Verdict | None]

SLICE = 0.05  # seconds
_UP = STARTING | UP


class Manager:
    """Runners by name. `settle` brings all that is pending to its end.

    A unit is looked at when it, or one before or behind it, has changed: the work grows with what happens, and not
    with the number of units.
    """

    def __init__(self, units: Mapping[str, Unit], report: Callable[[JournalEvent], None], inquire: Inquire) -> None:
        self.order = Order(units)
        self.runners: dict[str, Runner] = {}
        self.history = History()
        self.stopping = False
        self._report = report
        self._inquire = inquire  # whether a unit may start: inquiry.py
        self._queue: deque[tuple[Runner, Happening]] = deque()
        self._standing = Standing()
        rank = {name: at for at, name in enumerate(self.order.sequence)}
        self._following = Following(self, self.order.relations, self._standing, report, self._leave)
        self._starts = Agenda(rank, len(rank))
        self._stops = Agenda({name: -at for name, at in rank.items()}, -len(rank))
        self._passing: dict[str, Callable[[], None]] = {}  # units that are forgotten when they have ended
        self._gone: set[str] = set()  # those that have: forgotten when nobody goes through the runners

    def start_all(self, but: Container[str] = ()) -> None:
        """Ask for a start of every unit but those that a socket is to start."""
        for name in self.runners:
            if name not in but:
                self._wait(name)

    def trigger(self, service: str) -> None:
        """Have a service start for a socket, with what it pulls in; nothing if it is not at rest."""
        to_do = [service]
        while to_do and not self.stopping:
            name = to_do.pop()
            if name in self.runners and self.runners[name].state in AT_REST and name not in self._standing:
                self._wait(name)
                to_do += [other for other in self.runners[name].unit.needs.pulled if other not in self._standing.done]

    def admit(self, runner: Runner, ended: Callable[[], None]) -> None:
        """Run one more unit, which is forgotten when it has ended: then call back."""
        name = runner.name
        self.order.admit(runner.unit)
        self.runners[name] = runner
        self._passing[name] = ended
        for agenda in (self._starts, self._stops):
            agenda.admit(name)
        self._ask(name)

    def _forget(self, name: str) -> None:
        self.order.forget(self.runners.pop(name).unit)
        self.history.forget(name)
        self._standing.done.discard(name)
        self._standing.skipped.pop(name, None)
        for agenda in (self._starts, self._stops):
            agenda.forget(name)
        self._passing.pop(name)()

    def stop_all(self) -> None:
        """Ask for a stop of every unit, each when its turn has come."""
        self.stopping = True
        self._standing.waiting.clear()
        self._standing.asked.clear()
        self._standing.again.clear()
        for name in self.runners:
            self._stops.put(name)

    def kill_all(self) -> None:
        """End every unit at once."""
        self.stop_all()
        for runner in self.runners.values():
            self.post(runner, Event.KILL)

    @property
    def is_starting(self) -> bool:
        """Whether a unit waits for its start, or is in it."""
        return bool(self._standing.waiting or self._standing.asked or self._standing.starting)

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to run."""
        live = (self.runners[name] for name in self._standing.live)
        if self.stopping:
            return all(runner.is_stuck for runner in live)
        pending = self._standing.waiting or self._standing.asked or self._queue
        return not (pending or any(not runner.unit.is_target for runner in live))

    def post(self, runner: Runner, event: Happening) -> None:
        """Queue an event."""
        self._queue.append((runner, event))

    def reload(self, name: str) -> str:
        """Ask an active unit to reload: to run ExecReload=, or the signal of Type=notify-reload.

        Returns an empty text if the reload begins, else in words why it cannot. It is over when the runner's state is
        ACTIVE again (or the unit has ended); `machine.reload_result` then says how it ended: "success", "exit-code",
        "signal", "timeout", ... Failing to reload changes nothing else: the unit stays active.
        The reload goes on to those that PropagatesReloadTo= and ReloadPropagatedFrom= name, if they can.
        """
        if why := self._reload(name):
            return why
        for other in self.order.relations.reloaded_with(name)[1:]:
            self._reload(other)
        return ""

    def _reload(self, name: str) -> str:
        runner = self.runners[name]
        if runner.unit.is_target and runner.state is State.ACTIVE and self.order.relations.reloaded_with(name)[1:]:
            return ""  # it has nothing to reload itself
        if not runner.can_reload:
            return f"{name} cannot reload: it has no ExecReload="
        if runner.state in UP - {State.ACTIVE}:
            return f"{name} is reloading already"
        if runner.state is not State.ACTIVE:
            return f"{name} is not active"
        self.post(runner, Event.RELOAD)
        return ""

    def exited(self, runner: Runner, outcome: Outcome) -> None:
        """Take the end of a main process."""
        before = runner.state
        runner.exited(outcome)
        self._changed(runner, before)

    def control_exited(self, runner: Runner, outcome: Outcome) -> None:
        """Take the end of a control process."""
        before = runner.state
        runner.control_exited(outcome)
        self._changed(runner, before)

    def look(self) -> None:
        """Let each unit that waits for its last process find out whether it has ended."""
        standing = self._standing
        for name in sorted(standing.emptying | standing.starting):
            self.runners[name].look()

    def settle(self) -> bool:
        """Handle what is queued, and start or stop the units whose turn has come; False if there is more to do.

        A thousand starts take seconds. So it gives way after SLICE seconds: the units that run are not to wait.
        """
        end = time.monotonic() + SLICE
        while self._queue or self._advance():
            self.drain()
            if time.monotonic() > end:
                return False
        while self._gone:
            self._forget(self._gone.pop())
        return True

    def drain(self) -> None:
        """Handle what is queued."""
        while self._queue:
            runner, event = self._queue.popleft()
            if event is Event.TIMER and runner.state is State.AUTO_RESTART:
                self._ask(runner.name)
            else:
                self._take(runner, event)

    def _take(self, runner: Runner, event: Happening) -> None:
        before = runner.state
        runner.handle(event)
        self._changed(runner, before)

    def _wait(self, name: str) -> None:
        """Have a unit start when its turn has come. What is in conflict with it stops before that."""
        if name not in self._standing.asked:
            self._standing.waiting.add(name)
        self._following.displace(name)
        self._touch(name)

    def monitored(self, name: str) -> Mapping[str, str]:
        """Return the variables that tell a unit of the end of the one that has started it."""
        return self.history.of(name).monitored

    def _touch(self, name: str) -> None:
        """Have a unit, and those whose turn depends on it, looked at again."""
        for near in self.order.near(name):
            self._line_up(near)

    def _line_up(self, name: str) -> None:
        """Give a unit its place among those whose turn may have come. Who is not to start or stop has none to keep."""
        if name in self._standing.waiting:
            self._starts.put(name)
        if self.stopping or name in self._standing.leaving:
            self._stops.put(name)

    def _ask(self, asked: str) -> None:
        """Have a unit start again, with what it requires, each when its turn has come; but not one that is to stop."""
        to_do = [asked]
        while to_do:
            name = to_do.pop()
            if self.stopping or name in self._standing.leaving:
                continue
            self._wait(name)
            to_do += [other for other in self.order.required(name) if self._is_missing(other)]

    def _is_missing(self, name: str) -> bool:
        standing = self._standing
        pending = name in standing.waiting or name in standing.asked
        done = name in standing.done and name not in standing.skipped  # conditions may have become true meanwhile
        return self.runners[name].state in AT_REST and not pending and not done

    def _changed(self, runner: Runner, before: State) -> None:
        self._inform(runner)
        state = runner.state
        self.history.note(runner, before, state)
        if state is before:
            return
        standing, name = self._standing, runner.name
        standing.note(name, state, headless=state in UP and runner.waits_for_empty)
        self._touch(name)
        if state in UP and before not in UP:
            self._following.is_up(name)
        if state not in RESTING:
            return
        runner.remove_directories(restarts=state is State.AUTO_RESTART or name in standing.again)
        if state is State.AUTO_RESTART:
            self._take_along(name)
            return
        standing.leaving.discard(name)
        self._standing.told.discard(name)
        if skipped := runner.machine.result == "exec-condition":
            standing.skipped[name] = "ExecCondition="
        if state is State.INACTIVE and (runner.unit.policy.type == "oneshot" or skipped):
            standing.done.add(name)
        if name in standing.again:
            standing.again.discard(name)
            self._wait(name)
        else:
            for other in (*self.order.bound_to(name), *self.order.relations.stopped_with(name)):
                self._leave(other)
            if not self.stopping:
                self._following.rests(runner, before)
        self._note_gone(runner)

    def starts_again(self, name: str) -> bool:
        """Whether a unit that rests will be started again, as it was asked to."""
        return name in self._standing.again or name in self._standing.waiting

    def _inform(self, runner: Runner) -> None:
        """Let the sockets of a service know where it stands, also if it has not moved: it may have been refused."""
        for socket in self.order.triggering(runner.name):
            if runner.state not in AT_REST or runner.name in self._standing.waiting:
                event = SocketEvent.BUSY
            elif runner.machine.result == "start-limit-hit":
                event = SocketEvent.LIMITED
            else:
                event = SocketEvent.IDLE
            self.post(self.runners[socket], event)
        self._note_gone(runner)

    def _note_gone(self, runner: Runner) -> None:
        if runner.name in self._passing and runner.state in AT_REST and runner.name not in self._standing:
            self._gone.add(runner.name)

    def _take_along(self, restarted: str) -> None:
        """Have all that is up and goes with a unit stop and start again."""
        to_do = [restarted]
        while to_do:
            for name in self.order.dependents(to_do.pop()):
                if self.runners[name].state in _UP and name not in self._standing.leaving:
                    self._standing.leaving.add(name)
                    self._standing.again.add(name)
                    self._touch(name)
                    to_do.append(name)

    def _leave(self, left: str) -> None:
        """Have a unit stop, and all that goes with it."""
        to_do = [left]
        while to_do:
            name = to_do.pop()
            self._standing.waiting.discard(name)
            self._standing.asked.discard(name)
            self._standing.again.discard(name)
            if self.runners[name].state not in AT_REST and name not in self._standing.leaving:
                self._standing.leaving.add(name)
                to_do += (*self.order.dependents(name), *self.order.relations.stopped_with(name))
            self._touch(name)
            self._inform(self.runners[name])

    def _advance(self) -> bool:
        """Ask for the next stop or start; False if there is none now."""
        return self._stop_next() or (not self.stopping and self._start_next())

    def _start_next(self) -> bool:
        standing = self._standing
        while name := self._starts.take():
            if name not in standing.waiting or not self.order.may_stop(name, Some(self.runners, standing.leaving)):
                continue
            if any(self.runners[other].state not in AT_REST for other in self.order.relations.conflicting(name)):
                continue
            answer = self.order.may_start(name, standing, Some(self.runners, self.runners), standing.done)
            if answer == LATER:
                continue
            standing.waiting.discard(name)
            self._touch(name)
            if answer == NOW:
                self._start(self.runners[name])
            else:
                self._refuse(self.runners[name], "dependency", f"it requires {answer}, which is not up")
            return True
        return False

    def _start(self, runner: Runner) -> None:
        """Start a unit if its conditions are met. Until that is known it counts as one that waits."""
        verdict = self._inquire(runner.unit, lambda answer: self._answered(runner, answer))
        if verdict is None:
            self._standing.asked.add(runner.name)
        else:
            self._judged(runner, verdict)

    def _answered(self, runner: Runner, verdict: Verdict) -> None:
        if runner.name in self._standing.asked:  # else it has been stopped meanwhile
            self._standing.asked.discard(runner.name)
            self._judged(runner, verdict)

    def _judged(self, runner: Runner, verdict: Verdict) -> None:
        self.history.of(runner.name).judged(verdict)
        self._standing.done.discard(runner.name)
        self._standing.skipped.pop(runner.name, None)
        if not verdict.why:
            self.history.begin(runner.name)
            self._take(runner, Event.TIMER if runner.state is State.AUTO_RESTART else Event.START)
        elif verdict.is_assert:
            self._refuse(runner, "assert", verdict.why)
        else:
            self._skip(runner, verdict.why)

    def _refuse(self, runner: Runner, result: Result, why: str) -> None:
        before = runner.state
        runner.machine.refuse(result)
        self._report(UnitFailed(runner.name, why))
        self._changed(runner, before)
        self._touch(runner.name)

    def _skip(self, runner: Runner, why: str) -> None:
        """Leave a unit out whose conditions are not met. Who requires it goes on; who is bound to it does not."""
        before = runner.state
        runner.machine.skip()
        self._report(UnitSkipped(runner.name, why))
        self._changed(runner, before)
        self._standing.done.add(runner.name)
        self._standing.skipped[runner.name] = why
        self._touch(runner.name)
        for other in self.order.bound_to(runner.name):
            if self.runners[other].state not in AT_REST:
                self._leave(other)

    def _stop_next(self) -> bool:
        to_stop = self.runners if self.stopping else self._standing.leaving
        while name := self._stops.take():
            if name not in to_stop or name not in self._standing.live or name in self._standing.told:
                continue
            if self.order.may_stop(name, Some(self.runners, to_stop)):
                self._standing.told.add(name)
                self.post(self.runners[name], Event.STOP)
                return True
        return False
