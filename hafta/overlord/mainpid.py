"""Type=forking: which process is the main one, when the process of ExecStart= has gone.

Rules
1. PIDFile= says it. Until the file names a process of the unit, the unit is not up: the file is read again and again.
   It may be made by ExecStartPost=; so it is waited for only behind that.
2. What the file says is not trusted. systemd takes a process that is not of the unit if root owns the file. Here it is
   never taken, because it would outlive the overlord. So it does not matter who can write to the file, or which links
   lead to it: all that can be said in it is which process of the unit is the main one.
3. Without PIDFile= it is the only child that ExecStart= has left behind, unless GuessMainPID=no. If there are several,
   none is the main one: the unit is up as long as one of them lives.
"""

from __future__ import annotations

import os
from contextlib import suppress

from hafta.frozen import Frozen
from hafta.overlord.table import Event, State
from hafta.units.files import read_text, reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from hafta.process.loop import Loop
    from hafta.units.unit import Unit

    class Forked(Protocol):
        """A runner, as it is seen from here."""

        unit: Unit
        name: str
        main: int
        trouble: str

        @property
        def state(self) -> State:
            """Where it stands."""

        @property
        def control(self) -> int:
            """Its control process, 0 if there is none."""

        @property
        def main_ended(self) -> bool:
            """Whether its main process was known, and has ended."""


FIRST, LONGEST = 0.01, 0.2  # seconds from one look at a PID file to the next
_DIGITS = 9
_PHASES = frozenset((State.START, State.START_POST, State.RELOAD))


def read_pid(path: str) -> int:
    """Return the number in a PID file, 0 if it is not written yet. Raises ValueError in words."""
    try:
        line = read_text(path).partition("\n")[0].strip()
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {reason(error)}") from None
    if not line:
        return 0
    if not line.isascii() or not line.isdigit() or len(line) > _DIGITS or not int(line):
        raise ValueError(f"{path}: not the number of a process")
    return int(line)


def remove(path: str) -> None:
    """Remove a PID file that has served, as systemd does; not where links lead to another directory."""
    folder = os.path.dirname(path)
    if os.path.realpath(folder) in {folder, folder.replace("/var/run", "/run", 1)}:
        with suppress(OSError):
            os.unlink(path)


class Candidates(Frozen):
    """What the overlord knows of the processes of one unit, and what it does with them."""

    adopt: Callable[[int], str]  # take it for the main process; returns in words why not
    orphans: Callable[[], list[int]]
    post: Callable[[Event], None]


class Finder:
    """Finds the main process of a runner."""

    def __init__(self, runner: Forked, loop: Loop, candidates: Candidates) -> None:
        self._runner = runner
        self._unit = runner.unit
        self._loop = loop
        self._candidates = candidates

    def is_done(self) -> bool:
        """Tell whether a phase whose commands are done may end; if not, its end is posted later (rule 1)."""
        state = self._runner.state
        if self._unit.policy.type != "forking" or state not in _PHASES:
            return True
        left = self._candidates.orphans() if state is State.START else []
        if self._runner.main_ended or self._read():
            return True
        if not self._unit.pid_file:
            self._guess(left)
            return True
        if state is State.RELOAD or (state is State.START and self._unit.commands.start_post):
            return True
        self._look_later(FIRST)
        return False

    def _look_later(self, delay: float) -> None:
        self._loop.set_timer(("main", self._runner.name), delay, lambda: self._look(delay))

    def _look(self, delay: float) -> None:
        state = self._runner.state
        if state not in {State.START, State.START_POST} or self._runner.control:
            return
        if self._read():
            self._candidates.post(Event.READY if state is State.START else Event.NEXT)
        else:
            self._look_later(min(2 * delay, LONGEST))

    def _read(self) -> bool:
        """Take the process that the PID file names; what is wrong with it is kept for the report of a failure."""
        if not self._unit.pid_file:
            return False
        try:
            pid = read_pid(self._unit.pid_file)
        except ValueError as error:
            self._runner.trouble = str(error)
            return False
        if not pid:
            self._runner.trouble = f"{self._unit.pid_file} is not written"
            return False
        if pid == self._runner.main:
            return True
        why = self._candidates.adopt(pid)
        self._runner.trouble = f"{self._unit.pid_file} names {why}" if why else ""
        return not why

    def _guess(self, left: list[int]) -> None:
        """Rule 3."""
        if self._unit.guess_main_pid and not self._runner.main and len(left) == 1:
            self._candidates.adopt(left[0])
