"""Which process belongs to which unit. The overlord is a subreaper: all that its units start stays below it.

A process belongs to the unit whose main process it is or descends from. An orphan, whose parents are gone, is a child
of the overlord; it belongs to the unit that its environment names or, if it has cleared that, to the one whose last
main process led its session. Whoever escapes both belongs to no unit, and ends with the overlord.
"""

from __future__ import annotations

import os
import time

from hafta.overlord.environment import MARKER
from hafta.overlord.processes import children, descendants, read_process, variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hafta.overlord.runner import Runner

EXECUTING = 0.1  # seconds that an execve(2) may last before its process is taken for nobody's
PAUSE = 0.001  # seconds


class Family:
    """Looks at the overlord's descendants; `keeper` tells the pid of the one that is no service's."""

    def __init__(self, identity: str, runners: dict[str, Runner], keeper: Callable[[], int]) -> None:
        self._identity = identity
        self._runners = runners
        self._keeper = keeper
        #: Children that the overlord had before it was one: a shell's, before exec.
        self.strangers = frozenset(children(os.getpid()))
        self._owners: dict[int, str] = {}  # of our children; a number is not used again before we have reaped it

    def members(self, name: str) -> list[int]:
        """Return the processes of a unit."""
        found: list[int] = []
        for child in self.own_children():
            if self._owner_of_child(child) == name:
                found += [child, *descendants(child)]
        return found

    def own_children(self) -> list[int]:
        """Return our children without the keeper and the strangers."""
        known = {self._keeper(), *self.strangers}
        return [child for child in children(os.getpid()) if child not in known]

    def everyone(self) -> list[int]:
        """Return all descendants that live, without the keeper and the strangers."""
        found = [pid for child in self.own_children() for pid in (child, *descendants(child))]
        return [pid for pid in found if (process := read_process(pid)) and not process.is_dead]

    def owner(self, pid: int) -> str:
        """Return the unit of a process; empty for none."""
        us = os.getpid()
        while True:
            process = read_process(pid)
            if process is None or process.parent in {0, pid}:
                return ""
            if process.parent == us:
                return self._owner_of_child(pid)
            pid = process.parent

    def _owner_of_child(self, pid: int) -> str:
        if pid not in self._owners:
            self._owners[pid] = self._find_owner(pid)
        return self._owners[pid]

    def _find_owner(self, pid: int) -> str:
        for name, runner in self._runners.items():
            if pid == runner.main:
                return name
        identity, _, name = _marker(pid).partition("/")
        if identity == self._identity:
            return name
        process = read_process(pid)
        sessions = {runner.last: name for name, runner in self._runners.items() if runner.last}
        return sessions.get(process.session, "") if process else ""

    def reap(self, hear: Callable[[], None] = lambda: None) -> Iterator[tuple[int, int]]:
        """Give pid and status of each child that has ended; before it is reaped, `hear` what it has said last."""
        while True:
            try:
                dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if dead is None:
                return
            hear()
            pid, status = os.waitpid(dead.si_pid, 0)
            self._owners.pop(pid, None)
            yield pid, status

    def reap_all(self) -> None:
        """Reap whoever has ended, when nobody asks any more who it was."""
        for _ in self.reap():
            pass


def _marker(pid: int) -> str:
    """Return the marker of a process, empty for none.

    In the middle of execve(2) a process shows no environment, so none is only believed when it is seen twice.
    """
    deadline = time.monotonic() + EXECUTING
    seen = 0
    while not (found := variable(pid, MARKER)):
        process = read_process(pid)
        if process is None or process.is_dead or time.monotonic() > deadline:
            return ""
        seen = 0 if process.is_executing() else seen + 1
        if seen == 2:
            return ""
        time.sleep(PAUSE)
    return found
