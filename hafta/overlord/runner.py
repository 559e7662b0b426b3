"""One unit and its processes: carries out what its machine decides (table.py)."""

from __future__ import annotations

import os
import signal
import time

from hafta.journal.overlord_events import UnitStarting
from hafta.overlord import spawn
from hafta.overlord.dirs import remove_tree
from hafta.overlord.launch import prepare
from hafta.overlord.machine import Machine
from hafta.overlord.output import Output
from hafta.overlord.processes import kill
from hafta.overlord.table import Action, Event, State
from hafta.overlord.tell import tell
from hafta.systemd.unitfile import UnitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.overlord.context import Context
    from hafta.overlord.restart import Outcome
    from hafta.overlord.unit import Unit

KILL_PATIENCE = 5.0  # seconds in which SIGKILL must have worked, before it is sent again
KILLS = 2  # that an overlord which is to stop waits for
LOOKING = 1.0  # seconds that are spent on processes forked meanwhile: one that forks for ever must not hold us up


class Runner:
    """A unit that is run. `main` is its main process, 0 if there is none; `last` the one that it had last."""

    def __init__(self, unit: Unit, context: Context) -> None:
        self.unit = unit
        self.name = unit.name
        self.machine = Machine(unit.policy)
        self.main = self.last = 0
        self.status = ""  # what it said last
        self.trouble = ""  # what it, or the kernel, said of its failure
        self.watchdog = unit.watchdog_sec
        self._context = context
        self._loop = context.loop
        self._begun = 0.0
        self._outputs: list[Output] = []
        self._execution = -1
        self._kills = 0
        self._adopted = (-1, 0)  # pidfd and number of the process that MAINPID= named last
        self._effects = self._make_effects()

    def _make_effects(self) -> dict[Action, Callable[[], None]]:
        unit = self.unit
        together = unit.kill_mode == "control-group"
        return {
            Action.SPAWN: self._spawn,
            Action.TERMINATE: lambda: self._signal(unit.kill_signal, rest=together),
            Action.ABORT: lambda: self._signal(unit.watchdog_signal, rest=together),
            Action.CLEAR: self._clear,
            Action.KILL: self._kill,
            Action.LOOK: self.look,
            Action.SET_START: lambda: self._set_timer(unit.timeout_start),
            Action.SET_STOP: lambda: self._set_timer(unit.timeout_stop),
            Action.SET_ABORT: lambda: self._set_timer(unit.timeout_abort),
            Action.SET_KILL: lambda: self._set_timer(KILL_PATIENCE),
            Action.SET_RESTART: lambda: self._set_timer(unit.restart_sec),
            Action.UNSET: lambda: self._loop.clear_timer(("state", self.name)),
            Action.WATCH: self.feed,
            Action.UNWATCH: lambda: self._loop.clear_timer(("watchdog", self.name)),
        }

    @property
    def state(self) -> State:
        """Where the unit stands."""
        return self.machine.state

    def age(self) -> float:
        """Return the seconds since its last start."""
        return self._loop.now() - self._begun

    @property
    def is_stuck(self) -> bool:
        """Whether it has survived SIGKILL for so long that nobody waits for it any more."""
        return self.state is State.KILLING and self._kills > KILLS

    def handle(self, event: Event) -> None:
        """Move on, and do what that asks for."""
        self._do(self.machine.handle(event, self._loop.now()))

    def exited(self, outcome: Outcome) -> None:
        """Take the end of the main process, which has been reaped."""
        self.read_execution()
        self.main = 0
        for output in self._outputs:
            output.drain()
        self._outputs = [output for output in self._outputs if output.is_open]
        self._do(self.machine.exited(outcome, self._loop.now()))

    def adopt(self, pid: int, fd: int, ended: Callable[[], None]) -> None:
        """Take another process of the unit, and its pidfd, for its main one (MAINPID=); call back when it has ended."""
        self.main = self.last = pid
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
            if action in self._effects:
                self._effects[action]()
            elif event := tell(self, action):
                self._context.report(event)

    def feed(self) -> None:
        """Start the watchdog's clock anew."""
        if self.watchdog and self.state is State.ACTIVE and self.main:
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
        """Find out whether a process is left."""
        if not self.main and not self._rest():
            self._post(Event.EMPTY)

    def _post(self, event: Event) -> None:
        self._context.post(self, event)

    def _set_timer(self, seconds: float) -> None:
        self._loop.set_timer(("state", self.name), seconds, lambda: self._post(Event.TIMER))

    def _spawn(self) -> None:
        self.status = self.trouble = ""
        self.watchdog = self.unit.watchdog_sec
        self._kills = 0
        self._begun = self._loop.now()
        if not self.unit.command:
            self._post(Event.READY)
            return
        try:
            child = spawn.spawn(prepare(self.unit, self.unit.command, self._context))
        except (OSError, UnitError) as error:
            self.trouble = f"{error}; {error.hint}" if isinstance(error, UnitError) else str(error)
            self._post(Event.BROKEN)
            return
        self.main = self.last = child.pid
        self._context.report(UnitStarting(self.name, child.pid))
        self._attend(child)
        if self.unit.policy.type == "simple":
            self._post(Event.READY)

    def _attend(self, child: spawn.Child) -> None:
        self._outputs.append(Output(child.output, self._loop, lambda line: self._context.show(self, line)))
        self._execution = child.report
        self._loop.watch(child.report, self.read_execution)

    def read_execution(self) -> None:
        """Hear whether the program runs: end of file says that it does."""
        if self._execution < 0:
            return
        data = os.read(self._execution, 100)
        self._loop.forget(self._execution)
        os.close(self._execution)
        self._execution = -1
        if data:
            self.trouble = self._explain(data)
        elif self.unit.policy.type == "exec":
            self._post(Event.READY)

    def _explain(self, data: bytes) -> str:
        status, number = map(int, data.split())
        what = {
            spawn.CHDIR: f"cannot enter {self.unit.working_directory[0]}",
            spawn.LIMITS: "cannot set the resource limits",
            spawn.GROUP: "cannot change the group",
            spawn.USER: "cannot change the user",
        }.get(status, f"cannot run {self.unit.command.path if self.unit.command else self.name}")
        return f"{what}: {os.strerror(number)}"

    def _rest(self) -> list[int]:
        """Return the processes that count besides the main one."""
        if self.unit.kill_mode == "process":
            return []
        return [pid for pid in self._context.members(self.name) if pid != self.main]

    def _signal(self, signum: int, *, rest: bool) -> None:
        """Send a signal to each process once, also to one that another has forked before it had the signal."""
        told, end = {0}, time.monotonic() + LOOKING
        while (fresh := {self.main, *(self._rest() if rest else ())} - told) and time.monotonic() < end:
            told |= fresh
            for pid in fresh:
                kill(pid, signum)
                if signum not in {signal.SIGKILL, signal.SIGCONT}:
                    kill(pid, signal.SIGCONT)  # a stopped process could not obey

    def _clear(self) -> None:
        if self.unit.kill_mode == "mixed":
            self._signal(signal.SIGKILL, rest=True)
        elif self.unit.kill_mode == "control-group":
            self._signal(self.unit.kill_signal, rest=True)

    def _kill(self) -> None:
        self._kills += 1
        if self.unit.send_sigkill or self._context.killing:
            self._signal(signal.SIGKILL, rest=True)

    def remove_directories(self, *, restarts: bool) -> None:
        """Remove the runtime directories once it rests, unless they are to be kept or another unit uses them."""
        kept = {"yes", "restart"} if restarts else {"yes"}
        if self.unit.runtime_preserve not in kept:
            for name in self.unit.runtime_directory:
                if not self._context.is_used(name, self):
                    remove_tree(os.path.join(self._context.roots.runtime, name))
