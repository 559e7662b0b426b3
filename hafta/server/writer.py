"""The writer: waits for a reader, then writes record after record until the source ends or the reader goes.

Invariant: each write is of whole records and at most PIPE_BUF bytes, so that a reader sees whole records at whatever
instruction the writer is killed.

Nothing here recovers from an error: the overlord does. Two things may take long: a reader that is not there yet, and
one that does not read. These waits feed the watchdog and show in STATUS. A hang anywhere else feeds nothing.
"""

from __future__ import annotations

import os

from hafta import exits, fifo
from hafta.errors import ServiceError
from hafta.server.pace import Pace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.runtime import Runtime
    from hafta.server.held import HeldEnd
    from hafta.server.source import Source

#: Waiting for a reader. The kernel tells nobody that a reader came, other than a blocked open(), which a watchdog could
#: not tell from a hang and which a signal may come too early to end. So open() is tried again: after t seconds of
#: waiting, each t / 20 seconds but at most 0.25 s. That adds at most 5 % to a wait, and 0.25 s to one of over 5 s.
#: A try takes 0.02 ms on a busy core and 0.15 to 0.25 ms on one that it wakes: 4 in a second are 0.1 % of a core.
SHARE = 20
SHORTEST = 0.001
LONGEST = 0.25
#: Seconds after which STATUS mentions a full pipe.
PAUSE = 1.0


class OwnEnd:
    """The writing end of a server that is alone: its end is the end of the file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd: int | None = None

    def open(self) -> int | None:
        """Return a descriptor that does not block, or None while there is no reader. Raises ServiceError."""
        self._fd = fifo.open_writer(self._path)
        return self._fd

    def close(self, *, done: bool) -> None:  # noqa: ARG002 - for one that is held
        """Close it; `done`: the work is done."""
        if self._fd is not None:
            os.close(self._fd)


class Writer:
    """Writes one source to one pipe. `interval` in seconds; 0 is as fast as the reader reads."""

    def __init__(
        self, runtime: Runtime, path: str, source: Source, interval: float, end: HeldEnd | None = None
    ) -> None:
        self._runtime = runtime
        self._path = path
        self._end = OwnEnd(path) if end is None else end
        self._source = source
        self._interval = interval
        self._speed = f"one per {interval:g} s" if interval else "as fast as possible"
        self._is_open = False
        self._full_since: float | None = None
        self.records = 0
        self.bad = 0

    def run(self) -> None:
        """Write until the source ends. Raises ServiceError: READER_GONE, IN_USE, and what hafta.fifo raises."""
        fd = self._end.open()  # before READY: a second copy never gets that far
        self._is_open = fd is not None
        self._runtime.describers.append(self.describe)
        self._runtime.ready()
        done = False
        try:
            if fd is None:
                fd = self._await_reader()
            self._runtime.say(f"writing to {self._path}, {self._speed}")
            self._write_all(fd)
            done = True
        finally:
            self._end.close(done=done)
        self._runtime.say(self._tally())

    def describe(self) -> str:
        """Return what is going on, as STATUS shows it."""
        if not self._is_open:
            return f"waiting for a reader on {self._path}"
        if self._full_since is not None and self._runtime.now() - self._full_since >= PAUSE:
            return f"{self._tally()}, waiting: the reader of {self._path} does not read"
        return f"{self._tally()}, {self._speed}"

    def _tally(self) -> str:
        return f"{self.records:,} record{'' if self.records == 1 else 's'} written ({self.bad:,} bad)"

    def _await_reader(self) -> int:
        runtime = self._runtime
        runtime.say(f"waiting for a reader on {self._path}")
        start = runtime.now()
        while (fd := self._end.open()) is None:
            runtime.sleep(min(LONGEST, max(SHORTEST, (runtime.now() - start) / SHARE)))
        self._is_open = True
        return fd

    def _write_all(self, fd: int) -> None:
        if self._interval:
            self._write_paced(fd, Pace(self._interval, self._runtime.now()))
        else:
            while self._write(fd, *self._source.take()):
                pass

    def _write_paced(self, fd: int, pace: Pace) -> None:
        while self._write(fd, *self._source.take(1)):
            pace.written(self._runtime.now())
            self._runtime.sleep(pace.delay(self._runtime.now()))

    def _write(self, fd: int, data: bytes, records: int, bad: int) -> int:
        """Write whole records and return how many; wait while the pipe is full."""
        while records:
            try:
                os.write(fd, data)
            except BlockingIOError:
                self._await_room(fd)
            except OSError as error:
                raise self._failed(error) from error
            else:
                break
        self.records += records
        self.bad += bad
        self._runtime.progress()
        return records

    def _await_room(self, fd: int) -> None:
        self._full_since = self._runtime.now()
        self._runtime.wait(fd, write=True)
        self._full_since = None

    def _failed(self, error: OSError) -> ServiceError:
        if isinstance(error, BrokenPipeError):
            hint = "its overlord restarts the server, which then waits for the next reader"
            return ServiceError(f"the reader of {self._path} went away", hint, status=exits.READER_GONE)
        return ServiceError(f"cannot write to {self._path}: {error.strerror}", "look at the pipe and its file system")
