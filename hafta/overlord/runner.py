"""One unit and its processes: carries out what its machine decides (table.py)."""

from __future__ import annotations

import os

from hafta.journal.overlord_events import UnitStarting
from hafta.overlord.commands import Control
from hafta.overlord.killer import KILL_PATIENCE, Killer
from hafta.overlord.launcher import Launcher, in_words
from hafta.overlord.machine import Machine
from hafta.overlord.mainpid import Candidates, Finder, remove
from hafta.overlord.table import ENDING, PHASES, RESTING, STARTING, UP, Action, Event, State
from hafta.overlord.tell import command_failed, tell, why_failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ClassVar

    from hafta.overlord.context import Context
    from hafta.overlord.launcher import Started
    from hafta.overlord.table import Happening
    from hafta.units.restart import Outcome
    from hafta.units.unit import Command, Unit

UNREACHED_DELAY = 1.0  # seconds at least, before a program that could not be reached is tried again
KILLS = 2  # that an overlord which is to stop waits for
LOOK_AGAIN = 0.01  # seconds
_WATCHED = UP | {State.START_POST}


class Runner:
    """A unit that is run. `main` is its main process, 0 if there is none; `last` the one that it had last."""

    def __init__(self, unit: Unit, context: Context) -> None:
        self.unit = unit
        self.name = unit.name
        phases = [name for name in PHASES.values() if getattr(unit.commands, name)]
        self.machine: Machine = Machine(unit.policy, phases)
        self.main: int = 0
        self.last: int = 0
        self.status: str = ""  # what it said last
        self.trouble = ""  # what it, or the kernel, said of its failure
        self.watchdog: float = unit.watchdog_sec
        self._context = context
        self._loop = context.loop
        self._launcher = Launcher(unit, context, lambda line: context.show(self, line))
        # ExecStart= of Type=forking is run by the control process, but gets all that a main process gets.
        self._control = Control(lambda command: self._start(command, control=self._control.phase != "start"))
        self._process: Started | None = None  # the one that was started for ExecStart= last
        self._mains: list[Command] = []  # of a oneshot: what comes behind it
        self._killer = Killer(unit, context, lambda: (self.main, self.control))
        self._finder = Finder(self, context.loop, self._candidates())
        self._adopted = (-1, 0)  # pidfd and number of the process that MAINPID= named last

    def _candidates(self) -> Candidates:
        context = self._context
        return Candidates(
            lambda pid: context.adopt(self, pid, claim=True),
            lambda: context.orphans(self),
            lambda event: context.post(self, event),
        )

    @property
    def state(self) -> State:
        """Where the unit stands."""
        return self.machine.state

    @property
    def control(self) -> int:
        """The control process, 0 if there is none."""
        return self._control.pid

    @property
    def main_ended(self) -> bool:
        """Whether its main process was known, and has ended."""
        return self.machine.outcome is not None

    @property
    def failed_phase(self) -> str:
        """The phase whose command failed, if one did."""
        return self._control.failed

    @property
    def why(self) -> str:
        """Why it has failed, for people."""
        return why_failed(self)

    @property
    def signalled(self) -> float:
        """When its reload signal was sent, by the monotonic clock."""
        return self._killer.signalled

    @property
    def uid(self) -> int:
        """The user that it runs as."""
        return self._launcher.uid

    @property
    def can_reload(self) -> bool:
        """Whether there is a way to ask it to reload."""
        return bool(self.unit.commands.reload) or self.unit.policy.type == "notify-reload"

    @property
    def restart_delay(self) -> float:
        """RestartSec=; but a program or a user that is not there is not looked for without a pause."""
        return max(self.unit.restart_sec, UNREACHED_DELAY) if self._launcher.unreached else self.unit.restart_sec

    def age(self) -> float:
        """Return the seconds since its last start."""
        return max(0.0, self._loop.now() - self._launcher.began)  # the clock leaves out a round that took too long

    @property
    def is_stuck(self) -> bool:
        """Whether it has survived SIGKILL for so long that nobody waits for it any more."""
        return self.state in {State.KILLING, State.FINAL_KILLING} and self._killer.kills > KILLS

    @property
    def waits_for_empty(self) -> bool:
        """Whether it matters now that none of its processes is left."""
        if self.main or self.control or self.state in RESTING:
            return False
        # Without a main process a unit is up as long as another one of it lives, unless it remains anyway.
        return self.state in ENDING | STARTING or (self.unit.policy.type == "forking" and not self.unit.policy.remain)

    def handle(self, event: Happening) -> None:
        """Move on, and do what that asks for."""
        if event is Event.EMPTY and not self.waits_for_empty:
            return  # it was so when that was seen; meanwhile there is a process again
        if isinstance(event, Event):
            self._do(self.machine.handle(event, self._loop.now()))

    def exited(self, outcome: Outcome) -> None:
        """Take the end of the main process, which has been reaped."""
        self.read_execution()
        self.main = 0
        self._launcher.drain()
        forgiven = bool(self._process and self._process.command.ignore_failure)
        self._do(self.machine.exited(outcome, self._loop.now(), forgiven=forgiven, more=bool(self._mains)))

    def control_exited(self, outcome: Outcome) -> None:
        """Take the end of the control process, which has been reaped: run the next command, or end the phase."""
        process = self._control.ended()
        process.read()
        self._launcher.drain()
        result = self.machine.judge_command(outcome, forgiven=process.command.ignore_failure)
        if result not in {"success", "exec-condition"}:
            self._control.failed, self.trouble = self._control.phase, process.trouble
            self._context.report(command_failed(self, self._control.phase, process.pid, outcome))
        if result == "success" and self._control.has_more and PHASES.get(self.state) == self._control.phase:
            self._attempt(self._control.next)
            self._set_timer(self.unit.timeout_start if self.state in STARTING | UP else self.unit.timeout_stop)
        elif result != "success" or self._finder.is_done():
            self._do(self.machine.phase_ended(result, self._loop.now()))

    def adopt(self, pid: int, fd: int, ended: Callable[[], None]) -> None:
        """Take another process of the unit, and its pidfd, for its main one (MAINPID=); call back when it has ended."""
        self.main = self.last = pid
        self.machine.outcome = None  # that of another main process
        self._unwatch()
        adopted = self._adopted = (fd, pid)
        self._loop.watch(fd, lambda: self._adopted_ended(adopted, ended))

    def _adopted_ended(self, adopted: tuple[int, int], ended: Callable[[], None]) -> None:
        if adopted == self._adopted:  # else another was adopted in this turn of the loop, and `fd` is closed
            self._unwatch()
            ended()

    def _unwatch(self) -> None:
        """Watch for the end of the adopted process no longer."""
        fd, self._adopted = self._adopted[0], (-1, 0)
        if fd >= 0:
            self._loop.forget(fd)
            os.close(fd)

    def _do(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            if effect := self._EFFECTS.get(action):
                effect(self)
            elif event := tell(self, action):
                self._context.report(event)

    def feed(self) -> None:
        """Restart the watchdog's timer."""
        if self.watchdog and self.state in _WATCHED and self.main:
            self._loop.set_timer(("watchdog", self.name), self.watchdog, lambda: self._post(Event.HUNG))

    def set_watchdog(self, seconds: float) -> None:
        """Take another watchdog period, as WATCHDOG_USEC= asks for."""
        self.watchdog = seconds
        self._loop.clear_timer(("watchdog", self.name))
        self.feed()

    def extend(self, seconds: float) -> None:
        """Give the start or the stop, and the watchdog, at least so much time from now on."""
        if self.state is not State.AUTO_RESTART:
            self._loop.extend_timer(("state", self.name), seconds)
        self._loop.extend_timer(("watchdog", self.name), seconds)

    def look(self) -> None:
        """Find out whether a process is left. Nobody waits for what cannot be known yet: we look again."""
        if not self.waits_for_empty or self._killer.rest():
            return
        if self._context.is_unsure:
            self._loop.set_timer(("look", self.name), LOOK_AGAIN, self.look)
        else:
            self._post(Event.EMPTY)

    def _post(self, event: Happening) -> None:
        self._context.post(self, event)

    def _set_timer(self, seconds: float) -> None:
        self._loop.set_timer(("state", self.name), seconds, lambda: self._post(Event.TIMER))

    def _set_restart(self) -> None:
        """Have the next process told how this one has ended: the start forgets it."""
        outcome = self.machine.outcome
        self._launcher.last_end = ":".join((self.machine.result, *outcome.in_words())) if outcome else ""
        self._set_timer(self.restart_delay)

    def _begin(self) -> None:
        self.status = self.trouble = self._control.failed = ""
        self.watchdog = self.unit.watchdog_sec
        self._killer.kills = 0
        self._process, self._mains = None, list(self.unit.commands.start)
        self._launcher.begin()

    def _start(self, command: Command, *, control: bool) -> Started:
        return self._launcher.start(command, self._variables(), self._heard, control=control)

    def _attempt(self, start: Callable[[], None], otherwise: Happening = Event.BAD) -> None:
        try:
            start()
        except Exception as error:
            self.trouble = in_words(error)
            self._post(otherwise)

    def _run_phase(self) -> None:
        phase = PHASES[self.state]
        self._attempt(lambda: self._control.begin(phase, getattr(self.unit.commands, phase)))

    def _spawn(self) -> None:
        if not self._mains:
            self._post(Event.READY)
        elif self.unit.policy.type == "forking":
            self._attempt(lambda: self._control.begin("start", self.unit.commands.start))
            if self.control:
                self._context.report(UnitStarting(self.name, self.control))
        else:
            self._attempt(self._spawn_main, Event.BROKEN)

    def _spawn_main(self) -> None:
        self._process = self._start(self._mains.pop(0), control=False)
        self.main = self.last = self._process.pid
        self._context.report(UnitStarting(self.name, self.main))
        if self.unit.policy.type in {"simple", "idle"}:
            self._post(Event.READY)

    def _heard(self, process: Started) -> None:
        """Take note of whether the program of the main process has begun."""
        if process is not self._process:
            return
        if process.trouble:
            self.trouble = process.trouble
        elif self.unit.policy.type == "exec":
            self._post(Event.READY)

    def read_execution(self) -> None:
        """Hear whether the program of the main process runs."""
        if self._process:
            self._process.read()

    def _variables(self) -> dict[str, str]:
        """Return the variables that tell a command where its unit stands (systemd.exec(5))."""
        found = {}
        if self.main:
            found["MAINPID"] = str(self.main)
        if self.unit.pid_file:
            found["PIDFILE"] = self.unit.pid_file
        if self.state in {State.STOP, State.STOP_POST}:
            found["SERVICE_RESULT"] = self.machine.result
            if outcome := self.machine.outcome:
                found["EXIT_CODE"], found["EXIT_STATUS"] = outcome.in_words()
        return found

    def remove_directories(self, *, restarts: bool) -> None:
        """Remove the runtime directories once it rests, unless they are to be kept or another unit uses them.

        And the PID file: it names no process of the unit any more.
        """
        if self.unit.pid_file:
            remove(self.unit.pid_file)
        kept = {"yes", "restart"} if restarts else {"yes"}
        if self.unit.runtime_preserve not in kept:
            for name in self.unit.directories.runtime.names:
                if not self._context.is_used(name, self):
                    links = [link for link in self.unit.directories.runtime.links if link[0] == name]
                    self._context.remove_directory(name, links)

    #: What each action does; what is not here is told.
    _EFFECTS: ClassVar[dict[Action, Callable[[Runner], None]]] = {
        Action.BEGIN: _begin,
        Action.SPAWN: _spawn,
        Action.RUN: _run_phase,
        Action.SIGNAL: lambda self: self._killer.reload(self.main),
        Action.TERMINATE: lambda self: self._killer.terminate(),
        Action.ABORT: lambda self: self._killer.abort(),
        Action.CLEAR: lambda self: self._killer.clear(),
        Action.KILL: lambda self: self._killer.kill(),
        Action.KILL_CONTROL: lambda self: self._killer.kill_control(),
        Action.LOOK: look,
        Action.SET_START: lambda self: self._set_timer(self.unit.timeout_start),
        Action.SET_STOP: lambda self: self._set_timer(self.unit.timeout_stop),
        Action.SET_ABORT: lambda self: self._set_timer(self.unit.timeout_abort),
        Action.SET_KILL: lambda self: self._set_timer(KILL_PATIENCE),
        Action.SET_RESTART: lambda self: self._set_restart(),
        Action.UNSET: lambda self: self._loop.clear_timer(("state", self.name)),
        Action.WATCH: feed,
        Action.UNWATCH: lambda self: self._loop.clear_timer(("watchdog", self.name)),
    }
