"""The processes below a guard: the program, commands of probes, and what they leave behind.

The guard is a subreaper: whatever its program starts stays below it, and is its child when its own parents are dead. So
`left()` is everything that there is to end. Each child is started in its own session, with signals blocked until it has
reset them, and dies with the guard (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import errno
import os
import select
import signal
from contextlib import suppress

from hafta.process import prctl
from hafta.process.fork import deafen, quiet
from hafta.process.table import children as children_of
from hafta.process.table import descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: What a shell answers when a program is not there, or cannot be run: for commands of probes.
NOT_FOUND, NOT_RUN = 127, 126
START_PATIENCE = 10.0  # seconds
#: What the overlord told the guard is not for the program: it would speak for itself, or be refused.
_OURS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
#: Python ignores these for itself; its children must not.
_PYTHONS = {signal.SIGPIPE, getattr(signal, "SIGXFSZ", signal.SIGPIPE)}


class Children:
    """Starts children and reaps all of them. `reaped` is called with the pid and wait status of the program."""

    def __init__(self) -> None:
        prctl.adopt_orphans()
        #: Children that this process had before it was a guard: a shell's, before exec.
        self._strangers = frozenset(children_of(os.getpid()))
        self._ignored = tuple(signum for signum in _ignored() if signum not in _PYTHONS)
        self._statuses: dict[int, int | None] = {}  # of those whose status somebody asks for
        self._groups: set[int] = set()  # what is left of these is killed as soon as their leader has ended

    def start(self, argv: Sequence[str], environ: Mapping[str, str], *, quiet_output: bool = False) -> int:
        """Start a command of a probe, whose output is nobody's; or the program. Return the pid.

        Raises OSError if the program cannot be run. A command that cannot be run ends with 127 or 126.
        """
        report, report_end = os.pipe2(os.O_CLOEXEC)
        parent = os.getpid()
        try:
            with quiet():
                pid = os.fork()
                if pid == 0:
                    # pragma: no cover - a fork is traced from its next call on
                    _become(argv, environ, parent, self._ignored, -1 if quiet_output else report_end)
        except OSError:
            os.close(report)
            os.close(report_end)
            raise
        os.close(report_end)
        self._statuses[pid] = None
        if quiet_output:
            self._groups.add(pid)
            os.close(report)
        else:
            self._check(pid, report)
        return pid

    def _check(self, pid: int, report: int) -> None:
        """Wait until the program runs, which a file system that hangs may put off. Raises OSError if it does not."""
        with os.fdopen(report, "rb") as file:
            is_late = not select.select([file], [], [], START_PATIENCE)[0]
            number = str(errno.ETIMEDOUT) if is_late else file.read()
        if is_late:
            _kill_group(pid)
        if number:
            os.waitpid(pid, 0)
            del self._statuses[pid]
            raise OSError(int(number), os.strerror(int(number)))

    def is_running(self, pid: int) -> bool:
        """Tell whether a child that was started here has not been reaped yet."""
        return pid in self._statuses and self._statuses[pid] is None

    def take_status(self, pid: int) -> int | None:
        """Return the wait status of a child that has ended, once."""
        return self._statuses.pop(pid, None)

    def abandon(self, pid: int) -> None:
        """End a command: nobody waits for it any more."""
        if pid in self._groups:
            _kill_group(pid)
        self._groups.discard(pid)
        self._statuses.pop(pid, None)

    def reap(self) -> None:
        """Reap all that have ended, also those that we never knew."""
        while True:
            try:
                dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if dead is None:
                return
            if dead.si_pid in self._groups:  # before it is reaped: until then its number means this group
                _kill_group(dead.si_pid)
                self._groups.discard(dead.si_pid)
            pid, status = os.waitpid(dead.si_pid, 0)
            if pid in self._statuses:
                self._statuses[pid] = status

    def left(self) -> list[int]:
        """Return all processes below us that are to be ended."""
        found = [pid for pid in children_of(os.getpid()) if pid not in self._strangers]
        return [*found, *(below for pid in found for below in descendants(pid))]


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the program: ours, without what the overlord says to the guard alone."""
    return {name: value for name, value in environ.items() if name not in _OURS}


def signal_group(pid: int, signum: int) -> None:
    """Send a signal to the program and its group, and wake what is stopped, so that it can act on it."""
    for number in (signum, signal.SIGCONT):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)


def _kill_group(pid: int) -> None:
    for send in (os.kill, os.killpg):  # the group is not there yet if the child has not come as far as setsid(2)
        with suppress(ProcessLookupError, PermissionError):
            send(pid, signal.SIGKILL)


def _ignored() -> list[int]:
    return [signum for signum in signal.valid_signals() if signal.getsignal(signum) is signal.SIG_IGN]


def _become(argv: Sequence[str], environ: Mapping[str, str], parent: int, ignored: Sequence[int], report: int) -> None:
    """Be the child; never returns."""
    status = NOT_RUN
    try:
        os.setsid()
        deafen(signal.SIG_DFL)
        for signum in ignored:  # nohup(1)
            signal.signal(signum, signal.SIG_IGN)
        if report < 0:
            _connect_nowhere()
        if prctl.die_with_parent(signal.SIGKILL, parent):
            own = dict(environ)
            if own.get("LISTEN_PID") == str(parent):  # sockets that systemd has opened are for the program
                own["LISTEN_PID"] = str(os.getpid())
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.execvpe(argv[0], list(argv), own)  # noqa: S606 - without a shell is what is wanted
    except OSError as error:
        status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUN
        if report >= 0:
            os.write(report, str(error.errno).encode())
    finally:
        os._exit(status)


def _connect_nowhere() -> None:
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
