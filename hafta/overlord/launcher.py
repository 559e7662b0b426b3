"""Starting the commands of a unit, and hearing whether their programs began and what they write."""

from __future__ import annotations

import errno
import os

from hafta.death import LAST_END
from hafta.overlord import attributes, child, spawn, streams
from hafta.overlord.idle import NO_WAIT
from hafta.overlord.output import Output
from hafta.units.unitfile import UnitError
from hafta.units.users import find_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hafta.overlord.context import Context
    from hafta.overlord.lines import Line
    from hafta.process.loop import Loop
    from hafta.units.unit import Command, Unit


class Started:
    """A process that was started for a command. `trouble` says why its program did not begin."""

    def __init__(self, made: child.Child, unit: Unit, command: Command, loop: Loop) -> None:
        self.pid = made.pid
        self.command = command
        self.trouble = ""
        self._unit = unit
        self._loop = loop
        self._report = made.report
        self._heard: Callable[[Started], None] = lambda _: None

    def listen(self, heard: Callable[[Started], None]) -> None:
        """Call back once it is known whether the program runs."""
        self._heard = heard
        self._loop.watch(self._report, self.read)

    def read(self) -> None:
        """Hear whether the program runs, if that is still open: end of file says that it does."""
        if self._report < 0:
            return
        data = os.read(self._report, 100)
        self._loop.forget(self._report)
        os.close(self._report)
        self._report = -1
        if data:
            self.trouble = explain(self._unit, self.command, data)
        self._heard(self)


class Launcher:
    """Starts the commands of a unit."""

    def __init__(self, unit: Unit, context: Context, show: Callable[[Line], None]) -> None:
        self.uid = os.geteuid()  # the user that the unit runs as
        self.began = 0.0  # when its last start began
        self.unreached = False  # that start did not come as far as a program
        self.last_end = ""  # how its last main process ended, for the next one (hafta/death.py)
        self._unit = unit
        self._context = context
        self._show = show
        self._outputs: list[Output] = []

    def begin(self) -> None:
        """Begin another start of the unit."""
        self.began, self.unreached = self._context.loop.now(), True

    def start(
        self, command: Command, variables: Mapping[str, str], heard: Callable[[Started], None], *, control: bool
    ) -> Started:
        """Start a process, and call back once it is known whether its program runs. May raise anything."""
        if self.last_end and not control:
            variables = {**variables, LAST_END: self.last_end}
            self.last_end = ""
        launch = spawn.prepare(self._unit, command, self._context, spawn.Errand(variables, control))
        if not control:
            handover = self._context.handover
            wait = handover.idle.waiting() if self._unit.policy.type == "idle" else NO_WAIT
            launch = launch.replace(passed=handover.passed(self._unit), wait=wait)
        if launch.credentials.uid >= 0:
            self.uid = launch.credentials.uid
        made = self._context.spawn(self._unit.name, launch)
        if not control:
            self._context.handover.started(self._unit.name)
        self._context.born(self._unit.name, made.pid)
        self._outputs.append(Output(made.output, self._context.loop, self._show, self._unit.standard))
        started = Started(made, self._unit, command, self._context.loop)
        started.listen(lambda process: self._heard(process, heard))
        return started

    def _heard(self, process: Started, heard: Callable[[Started], None]) -> None:
        self.unreached = bool(process.trouble)
        heard(process)

    def drain(self) -> None:
        """Show what was written so far: a process has ended."""
        for output in self._outputs:
            output.drain()
        self._outputs = [output for output in self._outputs if output.is_open]


def explain(unit: Unit, command: Command, data: bytes) -> str:
    """Say in words why a program did not begin: `data` is what its process reported."""
    status, number = map(int, data.split())
    if number == errno.ESRCH:
        who = find_credentials(unit.account)
        return (
            f"there is no user {who.missing_user}" if status == child.USER else f"there is no group {who.missing_group}"
        )
    what = {
        **attributes.FAILURES,
        **streams.failures(unit),
        child.CHDIR: f"cannot enter {unit.working_directory[0]}",
        child.LIMITS: "cannot set the resource limits",
        child.GROUP: "cannot change the group",
        child.USER: "cannot change the user",
    }.get(status, f"cannot run {command.path}")
    return f"{what}: {os.strerror(number)}"


def in_words(error: Exception) -> str:
    """Describe why a process could not be made."""
    if isinstance(error, UnitError):
        return f"{error}; {error.hint}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}"
