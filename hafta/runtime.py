"""The world as drivers see it: a clock, waits that end in time, progress, and reports.

This runtime has no watchdog: a plain `sequence.call()` uses it. `hafta.service.Service` feeds a watchdog;
`hafta.testing.FakeRuntime` has a clock that moves only during a sleep.
"""

from __future__ import annotations

import atexit
import os
import select
import time
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Token
    from typing import Any, NoReturn, TypeVar

    from hafta.drivers.observer import Observer
    from hafta.journal.event import Event
    from hafta.journal.reporter import Reporter

    T = TypeVar("T")

_reporter: Reporter | None = None


class Runtime:
    """The clock, the waits and the reports of one process."""

    #: The longest that a wait may last without a call of progress(), in seconds.
    slice: float = 3600.0

    now: Callable[[], float] = staticmethod(time.monotonic)

    #: Mistakes in the program that were reported already (hafta.drivers.mistakes): file and line, in this process.
    mistakes: set[tuple[str, int]] = set()  # noqa: RUF012 - one for all plain runtimes, on purpose

    #: Functions that describe the calls that are going on, the innermost last: for the STATUS line.
    describers: list[Callable[[], str]]

    def __init__(self) -> None:
        self.describers = []

    def observers(self, sequence: str) -> tuple[Observer, ...]:  # noqa: ARG002 - for those that look at it
        """Return further observers of each call of the sequence with this name: hafta.testing has some."""
        return ()

    def sleep(self, seconds: float) -> None:
        """Sleep this many seconds, feeding the watchdog."""
        end = self.now() + seconds
        while True:
            left = min(end - self.now(), self._cut())
            if left > 0:  # even a sleep of 0 s takes 50 us: Linux wakes late by that much
                self.waiting(left)
                time.sleep(left)
            self._waited()
            if not self.now() < end:
                return

    def wait(self, fd: int, timeout: float | None = None, *, write: bool = False) -> bool:
        """Wait until the descriptor can be read (or written), feeding the watchdog; False when the time is up.

        A hang-up or an error on the descriptor counts as ready: the read or write then raises it.
        Raises OSError (EBADF) for a descriptor that is not open.
        """
        if fd < 0:
            raise _closed(fd)
        poll = select.poll()
        poll.register(fd, select.POLLOUT if write else select.POLLIN)
        end = None if timeout is None else self.now() + timeout
        while True:
            left = self._cut() if end is None else max(0.0, min(end - self.now(), self._cut()))
            self.waiting(left)
            ready = poll.poll(left * 1000)
            self._waited()
            if ready:
                return _usable(fd, ready[0][1])
            if end is not None and self.now() >= end:
                return False

    async def asleep(self, seconds: float) -> None:
        """Sleep like sleep(), letting other tasks run, even if the sleep takes no time."""
        from asyncio import sleep

        end = self.now() + seconds
        while True:
            left = max(0.0, min(end - self.now(), self._cut()))
            self.waiting(left, alone=False)
            await sleep(left)
            self._waited()
            if not self.now() < end:
                return

    async def await_fd(self, fd: int, timeout: float | None = None, *, write: bool = False) -> bool:  # noqa: ASYNC109 - as wait()
        """Wait like wait(), letting other tasks run."""
        from hafta.readiness import ready

        end = None if timeout is None else self.now() + timeout
        while True:
            left = self._cut() if end is None else max(0.0, min(end - self.now(), self._cut()))
            self.waiting(left, alone=False)
            is_ready = await ready(fd, left, write=write)
            self._waited()
            if is_ready or (end is not None and self.now() >= end):
                return is_ready

    def run_async(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in a new event loop, as an asynchronous sequence that is called without await."""
        from asyncio import run

        return run(coroutine)

    def progress(self) -> None:
        """Note that the work has moved on."""

    def waiting(self, seconds: float, *, alone: bool = True) -> None:
        """Note that a wait begins, and its longest time; `alone`: nothing else goes on in this thread. A hook."""

    def call_begins(self, seconds: float) -> object:
        """Note that a node calls a sequence, which may take this time; return what call_ends() takes. A hook."""

    def call_ends(self, begun: object) -> None:
        """Note that the call is over. A hook."""

    def _cut(self) -> float:
        """Return how long a wait may last now. It ends early only if the reporter has something to send."""
        if _reporter is None:
            return self.slice
        return max(0.0, min(self.slice, _reporter.due - time.monotonic()))

    def _waited(self) -> None:
        self.progress()
        if _reporter is not None:
            _reporter.tick()

    def end_process(self, status: int) -> NoReturn:
        """End the process at once with this exit status: no `finally` block runs, no buffer is flushed."""
        os._exit(status)

    def report(self, event: Event) -> None:
        """Report an event to the journal. Never blocks, never raises."""
        try:
            reporter = default_reporter()
        except OSError:  # it cannot be loaded: no descriptor is left
            last_words(event.message())
            return
        reporter.report(event)

    def flush(self) -> None:
        """Send to the journal what is still waiting: the process is about to end."""
        _close_reporter()

    def status(self, text: object) -> None:
        """Say what the service is doing, for `systemctl status`. This runtime does nothing with it."""

    def ready(self, status: str = "") -> None:
        """Say that the service is up. This runtime does nothing with it."""

    def say(self, text: object) -> None:
        """Print a line for the person at the terminal. If it cannot be printed, the work still does not fail."""
        try:
            print(text, flush=True)
        except UnicodeEncodeError:
            self.say(str(text).encode("ascii", "backslashreplace").decode())
        except (OSError, ValueError):  # ValueError: stdout is closed
            return


_current: ContextVar[Runtime | None] = ContextVar("hafta.runtime", default=None)


def current() -> Runtime:
    """Return the runtime of the sequence that is running here, else a plain one. So nested calls feed the watchdog."""
    return _current.get() or Runtime()


def inside() -> Runtime | None:
    """Return the runtime of the sequence that is running here; None if there is none."""
    return _current.get()


def enter(runtime: Runtime) -> Token[Runtime | None]:
    """Make this the current runtime until leave()."""
    return _current.set(runtime)


def leave(token: Token[Runtime | None]) -> None:
    """Make current again the runtime that was current before enter().

    Python closes a forgotten coroutine in another context. There is nothing to restore there.
    """
    try:
        _current.reset(token)
    except ValueError:
        return


def back_to(runtime: Runtime | None) -> None:
    """Make this runtime the current one again, after a stop has interrupted enter()."""
    _current.set(runtime)


def default_reporter() -> Reporter:
    """Return the reporter of this process. It is made when the first event needs it."""
    if _reporter is None:
        from hafta.journal.choose import choose_sink
        from hafta.journal.reporter import Reporter

        return use_reporter(Reporter(choose_sink(os.environ), time.monotonic))
    return _reporter


def use_reporter(reporter: Reporter) -> Reporter:
    """Make this the reporter of the process and all its threads. It sends what is waiting when the process ends."""
    global _reporter  # noqa: PLW0603 - one for the process, made late
    if _reporter is None:
        atexit.register(_close_reporter)  # not sooner: at exit it must run before what logging has registered
    _close_reporter()
    if _reporter is not None:
        reporter.follow(_reporter)
    _reporter = reporter
    return reporter


def last_words(text: str) -> None:
    """Write a line to stderr if that does not block: for what the reporter cannot report."""
    poll = select.poll()
    poll.register(2, select.POLLOUT)
    try:
        if any(events & select.POLLOUT for _, events in poll.poll(0)):
            os.write(2, f"{text}\n".encode(errors="backslashreplace")[: select.PIPE_BUF])
    except OSError:
        return


def _close_reporter() -> None:
    if _reporter is not None:
        _reporter.close()


def _usable(fd: int, events: int) -> bool:
    if events & select.POLLNVAL:
        raise _closed(fd)
    return True


def _closed(fd: int) -> OSError:
    import errno

    return OSError(errno.EBADF, f"descriptor {fd} is not open")
