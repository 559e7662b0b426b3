"""The processes of the parent: the worker, and the standby that waits at its gate to be the next one.

A gate is a pipe. The parent writes the Death of the worker before into it, and closes it; an end of file without that
means that the parent is gone. In a forked child, Born is raised: it leaves all frames of the parent.
"""

from __future__ import annotations

import os
import signal

from hafta.death import Death, ended, from_bytes
from hafta.service.warm import memory
from hafta.service.warm.worker import Birth, reset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.service.warm.wires import Wires

_EVERYTHING = signal.valid_signals()
AFTER = 1.0  # seconds until a standby that has died is replaced


class Born(BaseException):
    """Raised in a forked child only. `gate` is to be passed first; None: the worker begins at once, after `death`."""

    def __init__(self, gate: int | None, death: Death | None) -> None:
        super().__init__()
        self.gate = gate
        self.death = death


class Process:
    """A child: its pid, what becomes readable when it is dead, and its gate (the parent's end)."""

    __slots__ = ("gate", "pid", "pidfd")

    def __init__(self, pid: int, gate: int | None = None) -> None:
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.gate = gate

    def signal(self, *signums: int) -> None:
        """Send signals; one that is dead already needs none."""
        for signum in signums:
            try:
                signal.pidfd_send_signal(self.pidfd, signum)
            except ProcessLookupError:
                return

    def reap(self) -> Death:
        """Take the end of a dead one."""
        found = os.waitid(os.P_PID, self.pid, os.WEXITED)
        self.close()
        assert found is not None  # it is dead, and nobody else waits for it
        if found.si_code == os.CLD_EXITED:
            return ended(self.pid, found.si_status)
        return Death(self.pid, signal=found.si_status)

    def stops(self) -> list[bool]:
        """Return, in order, whether it was stopped (True) or continued since the last time."""
        found: list[bool] = []
        try:
            while (change := os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WCONTINUED | os.WNOHANG)) is not None:
                found.append(change.si_code != os.CLD_CONTINUED)
        except ChildProcessError:  # it is dead: only its end is left to be waited for
            return []
        return found

    def close(self) -> None:
        """Close what the parent has of it."""
        os.close(self.pidfd)
        if self.gate is not None:
            os.close(self.gate)
            self.gate = None


class Brood:
    """At most one worker and one standby; and what checks the new code of a reload, which is none of the two."""

    def __init__(self, name: str, wires: Wires, *close: Callable[[], None]) -> None:
        self._name = name
        self._wires = wires
        self._close = (wires.close_in_child, *close)  # of the parent, in each child
        self.worker: Process | None = None
        self.standby: Process | None = None
        self.checker: Process | None = None
        self._kills = memory.kills()  # when the worker began

    @property
    def _all(self) -> list[Process]:
        return [process for process in (self.worker, self.standby, self.checker) if process is not None]

    @property
    def pidfds(self) -> list[int]:
        """What is readable when one of them is dead."""
        return [process.pidfd for process in self._all]

    def release(self, death: Death | None) -> None:
        """Have the next worker begin; `death` is how the one before it ended."""
        assert self.worker is None, "two workers never live at a time"
        standby, self.standby = self.standby, None
        is_through = standby is not None and _open(standby, death)
        self.worker = standby if is_through else self._fork(None, death)
        self._kills = memory.kills()

    def bury(self) -> Death:
        """Take the end of the worker, which is dead."""
        worker, self.worker = self.worker, None
        assert worker is not None
        death = worker.reap()
        if death.signal == signal.SIGKILL:
            death = death.replace(why=memory.since(self._kills))
        return death

    def wait_at_gate(self) -> None:
        """Fork the standby."""
        reading, writing = os.pipe()
        self.standby = self._fork((reading, writing), None)
        os.close(reading)

    def drop_checker(self) -> None:
        """Kill what checks the new code, if it does not come to an end."""
        checker, self.checker = self.checker, None
        if checker is not None:
            checker.signal(signal.SIGKILL)
            checker.reap()

    def drop_standby(self) -> bool:
        """Kill the standby, which has begun nothing; tell whether there was one."""
        standby, self.standby = self.standby, None
        if standby is None:
            return False
        standby.signal(signal.SIGKILL)
        standby.reap()
        return True

    def _fork(self, gate: tuple[int, int] | None, death: Death | None) -> Process:
        parent = os.getpid()
        mask = signal.pthread_sigmask(signal.SIG_SETMASK, _EVERYTHING)
        pid = os.fork()
        if not pid:
            role = "worker" if gate is None else "standby"
            close = [*self._close, *(one.close for one in self._all)]
            if gate is not None:
                close.append(lambda: os.close(gate[1]))
            reset(Birth(parent, f"{self._name}: {role}", self._wires.before, tuple(close), frozenset(map(int, mask))))
            raise Born(None if gate is None else gate[0], death)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return Process(pid, None if gate is None else gate[1])


def _open(standby: Process, death: Death | None) -> bool:
    """Let a standby pass; False if it is dead. One that is dead just now is found by its pidfd, like any worker."""
    assert standby.gate is not None
    try:
        os.write(standby.gate, b"\n" if death is None else death.as_bytes())
    except OSError:
        standby.signal(signal.SIGKILL)
        standby.reap()
        return False
    os.close(standby.gate)
    standby.gate = None
    return True


def pass_gate(gate: int) -> Death | None:
    """Wait at the gate, in the standby; return how the worker before it ended. Ends the process with its parent."""
    text = b""
    while piece := os.read(gate, 1 << 16):
        text += piece
    os.close(gate)
    if not text:
        os._exit(0)
    return None if text == b"\n" else from_bytes(text)
