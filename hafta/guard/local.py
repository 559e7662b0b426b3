"""Probes on this machine: the process, a fresh file, a pipe, a command. Each is a generator (steps.py)."""

from __future__ import annotations

import os
import select
import signal
import time

from hafta import fifo
from hafta.errors import ServiceError
from hafta.guard.steps import Refused, Want
from hafta.journal.event import show_duration
from hafta.process.stat import read_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from hafta.guard.children import Children


def process(pid: int) -> Generator[Want, None, None]:
    """Pass if the program's process is there and is not stopped (SIGSTOP). A debugger does not count as a stop."""
    found = read_process(pid)
    if found is None or found.is_dead:
        raise Refused(f"process {pid} is gone")
    if found.is_stopped:
        raise Refused(f"process {pid} is stopped")
    yield from ()


class Fresh:
    """Passes while a file changes often enough.

    How old the file is at the first look, the wall clock says. From then on only changes count, timed by the monotonic
    clock: setting the clock makes no file old or young.
    """

    def __init__(self, path: str, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._seconds = seconds
        self._now = now
        self._seen: tuple[int, float] | None = None  # its mtime in nanoseconds, and when it became that

    def steps(self) -> Generator[Want, None, None]:
        """Look once."""
        info = os.stat(self._path)
        now = self._now()
        if self._seen is None:
            self._seen = info.st_mtime_ns, now - max(0.0, time.time() - info.st_mtime)
        elif info.st_mtime_ns != self._seen[0]:
            self._seen = info.st_mtime_ns, now
        age = now - self._seen[1]
        if age > self._seconds:
            raise Refused(f"not changed for {show_duration(round(age * 1_000_000))}")
        yield from ()


class Readable:
    """Passes if there is something to read in a pipe. Nothing is read, so that its readers miss nothing.

    The pipe is opened once and stays open: a reader that goes away with each try would kill the writer (SIGPIPE).
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1

    def steps(self) -> Generator[Want, None, None]:
        """Wait until there is something to read."""
        self._open()
        if not _events(self._fd) & select.POLLIN:
            if _events(self._fd) & select.POLLHUP:  # for ever readable to a selector, and yet nothing to read
                raise Refused("nothing writes to it")
            yield Want(self._fd)
            if not _events(self._fd) & select.POLLIN:
                raise Refused("its writer closed it")

    def _open(self) -> None:
        if self._fd >= 0 and fifo.is_replaced(self._fd, self._path):
            os.close(self._fd)
            self._fd = -1
        if self._fd < 0:
            try:
                self._fd = fifo.open_reader(self._path)
            except ServiceError as error:
                raise Refused(str(error)) from None


def command(argv: Sequence[str], environ: Mapping[str, str], children: Children) -> Generator[Want, None, None]:
    """Pass if a command ends with status 0. It and what it started are killed when it takes too long, or has ended."""
    pid = children.start(argv, environ, quiet_output=True)
    try:
        ended = os.pidfd_open(pid)
        try:
            yield Want(ended)
        finally:
            os.close(ended)
        children.reap()
        status = children.take_status(pid)
    finally:
        children.abandon(pid)
    assert status is not None
    if os.WIFSIGNALED(status):
        raise Refused(f"was killed by {signal.Signals(os.WTERMSIG(status)).name}")
    if code := os.waitstatus_to_exitcode(status):
        raise Refused(f"ended with status {code}")


def _events(fd: int) -> int:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return sum(events for _, events in poll.poll(0))
