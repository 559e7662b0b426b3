"""The world as drivers see it: a clock, waits that end in time, progress, and somebody to tell.

This one has no watchdog: it is what a plain `sequence.call()` uses. `hafta.service.Service` feeds one;
`hafta.testing.FakeRuntime` has a clock that moves only when somebody sleeps.
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

    from hafta.drivers.probe import Probe
    from hafta.journal.event import Event
    from hafta.journal.reporter import Reporter

    T = TypeVar("T")

_reporter: Reporter | None = None


class Runtime:
    """The clock, the waits and the reports of one process."""

    #: Seconds that a wait may go without a call of progress().
    slice: float = 3600.0

    now: Callable[[], float] = staticmethod(time.monotonic)

    #: Whether rollbacks are nobody's business: nothing is reported, and nothing is spent on it.
    quiet = False

    #: Whoever watches every step, or forces failures: hafta.testing.
    probe: Probe | None = None

    #: Who describes what is going on, innermost last: for the STATUS line.
    describers: list[Callable[[], str]]

    def __init__(self, *, quiet: bool = False) -> None:
        self.describers = []
        self.quiet = quiet

    def sleep(self, seconds: float) -> None:
        """Sleep so many seconds, feeding the watchdog."""
        end = self.now() + seconds
        while True:
            left = min(end - self.now(), self._cut())
            if left > 0:  # even to sleep 0 s costs the 50 us by which Linux is late
                time.sleep(left)
            self._waited()
            if not self.now() < end:
                return

    def wait(self, fd: int, timeout: float | None = None, *, write: bool = False) -> bool:
        """Wait until the descriptor can be read (or written), feeding the watchdog; False when the time is up.

        A hang-up or an error on the descriptor counts as ready: the read or write then tells.
        Raises OSError (EBADF) for a descriptor that is not open.
        """
        if fd < 0:
            raise _closed(fd)
        poll = select.poll()
        poll.register(fd, select.POLLOUT if write else select.POLLIN)
        end = None if timeout is None else self.now() + timeout
        while True:
            left = self._cut() if end is None else max(0.0, min(end - self.now(), self._cut()))
            ready = poll.poll(left * 1000)
            self._waited()
            if ready:
                return _usable(fd, ready[0][1])
            if end is not None and self.now() >= end:
                return False

    async def asleep(self, seconds: float) -> None:
        """Sleep as sleep() does, letting other tasks run, also where the sleep takes no time."""
        from asyncio import sleep

        end = self.now() + seconds
        while True:
            await sleep(max(0.0, min(end - self.now(), self._cut())))
            self._waited()
            if not self.now() < end:
                return

    async def await_fd(self, fd: int, timeout: float | None = None, *, write: bool = False) -> bool:  # noqa: ASYNC109 - as wait()
        """Wait as wait() does, letting other tasks run."""
        from hafta.readiness import ready

        end = None if timeout is None else self.now() + timeout
        while True:
            left = self._cut() if end is None else max(0.0, min(end - self.now(), self._cut()))
            is_ready = await ready(fd, left, write=write)
            self._waited()
            if is_ready or (end is not None and self.now() >= end):
                return is_ready

    def run_async(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in an event loop of its own, as an asynchronous sequence that is called without await."""
        from asyncio import run

        return run(coroutine)

    def progress(self) -> None:
        """Note that the work has moved on."""

    def _cut(self) -> float:
        """Return the seconds that a wait may go on now: who owes nothing to the journal is not woken for it."""
        if _reporter is None:
            return self.slice
        return max(0.0, min(self.slice, _reporter.due - time.monotonic()))

    def _waited(self) -> None:
        self.progress()
        if _reporter is not None:
            _reporter.tick()

    def end_process(self, status: int) -> NoReturn:
        """End the process at once, with this exit status: nothing is unwound, no buffer is flushed."""
        os._exit(status)

    def report(self, event: Event) -> None:
        """Tell the journal of an event. Never blocks, never raises."""
        try:
            reporter = default_reporter()
        except OSError:  # it cannot be loaded: no descriptor is left
            last_words(event.message())
            return
        reporter.report(event)

    def flush(self) -> None:
        """Send what the journal still owes: the process is about to end."""
        _close_reporter()

    def status(self, text: object) -> None:
        """Say what the service is doing, for `systemctl status`. Nobody asks here."""

    def ready(self, status: str = "") -> None:
        """Say that the service is up. Nobody asks here."""

    def say(self, text: object) -> None:
        """Say a line to the person at the terminal. One who has gone, or cannot read it, is no failure of the work."""
        try:
            print(text, flush=True)
        except UnicodeEncodeError:
            self.say(str(text).encode("ascii", "backslashreplace").decode())
        except (OSError, ValueError):  # ValueError: stdout is closed
            return


_current: ContextVar[Runtime | None] = ContextVar("hafta.runtime", default=None)


def current() -> Runtime:
    """Return the runtime of the sequence that is running here, else a plain one: so that nested calls stay fed."""
    return _current.get() or Runtime()


def enter(runtime: Runtime) -> Token[Runtime | None]:
    """Make this the current runtime until leave()."""
    return _current.set(runtime)


def leave(token: Token[Runtime | None]) -> None:
    """Make the runtime before enter() the current one again."""
    _current.reset(token)


def default_reporter() -> Reporter:
    """Return the reporter of this process, made when the first event needs it."""
    if _reporter is None:
        from hafta.journal.choose import choose_sink
        from hafta.journal.reporter import Reporter

        return use_reporter(Reporter(choose_sink(os.environ), time.monotonic))
    return _reporter


def use_reporter(reporter: Reporter) -> Reporter:
    """Make this the reporter of the process, threads and all, which sends what it owes when the process ends."""
    global _reporter  # noqa: PLW0603 - one for the process, made late
    if _reporter is None:
        atexit.register(_close_reporter)  # not sooner: what logging has registered for the end is to come after it
    _close_reporter()
    if _reporter is not None:
        reporter.follow(_reporter)
    _reporter = reporter
    return reporter


def last_words(text: str) -> None:
    """Write a line to stderr if that does not block: where the reporter cannot tell it."""
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
