"""A service: the runtime that feeds a watchdog, keeps STATUS, and reports to the journal without waiting.

Invariant: a ping means that the work moved since the last one. Whatever calls progress() (records written, checkpoints,
waits) feeds the watchdog; no thread and no timer does.
"""

from __future__ import annotations

import os
import time

from hafta.journal.choose import choose_sink
from hafta.journal.reporter import Reporter
from hafta.runtime import Runtime
from hafta.systemd.notify import Notifier
from hafta.systemd.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.journal.event import Event

#: Seconds between two looks at what is owed (status, summaries, drop counts); the watchdog makes it shorter.
HOUSEKEEPING = 0.5


class Service(Runtime):
    """What the body of a service is given."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        super().__init__()
        self.name = name
        self.notifier = Notifier(environ)
        self.watchdog = Watchdog(environ, os.getpid())
        sink = choose_sink(environ)
        self.reporter = Reporter(sink, time.monotonic)
        #: Whether what we say goes to the journal itself rather than to somebody who reads lines.
        self.in_journal = sink.structured
        self._interval = HOUSEKEEPING
        if self.watchdog.period:
            self._interval = min(HOUSEKEEPING, self.watchdog.period / 4)
        self.slice = self._interval
        self._next = 0.0
        self._status = ""

    def progress(self) -> None:
        """Note that the work has moved on; one comparison, except about twice a second."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._interval
            self._beat(now)

    def _beat(self, now: float) -> None:
        if self.watchdog.due(now):
            self.notifier.watchdog()
        self.notifier.status(self.describe())
        self.notifier.tick()
        self.reporter.tick()

    def describe(self) -> str:
        """Return the STATUS line: what the body said, and where its sequence stands."""
        parts = [self._status, *(describe() for describe in self.describers[-1:])]
        return "; ".join(filter(None, parts))

    def status(self, text: str) -> None:
        """Say what the service is doing, for `systemctl status`."""
        self._status = text

    def ready(self, status: str = "") -> None:
        """Tell the overlord that the service is up."""
        if status:
            self._status = status
        self.notifier.ready(self.describe())

    def report(self, event: Event) -> None:
        """Tell the journal of an event. Never blocks, never raises."""
        self.reporter.report(event)

    def fail(self, message: str, hint: str, status: int, *, told: bool = False) -> None:
        """Say why the service ends: two lines on stderr, or one entry of the journal, unless that was told already."""
        if told:
            pass
        elif self.in_journal:
            from hafta.journal.events import ServiceFailed

            self.reporter.report(ServiceFailed(self.name, message, hint, status))
        else:
            _write_line(f"{self.name}: error: {message}" + (f"\n{self.name}: {hint}" if hint else ""), 2)
        self.notifier.stopping(f"failed: {message}")

    def flush(self) -> None:
        """Send what the journal still owes: the process is about to end."""
        self.reporter.close()

    def say(self, text: str) -> None:
        """Say a line: to the terminal when started by hand, to the journal (priority debug) under systemd."""
        if self.in_journal:
            from hafta.journal.events import Said

            self.reporter.report(Said(text))
        else:
            _write_line(text)


def _write_line(text: str, fd: int = 1) -> None:
    """Write lines if that does not block: a service never waits for who reads its output."""
    import select

    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    data = f"{text}\n".encode(errors="backslashreplace")
    try:
        if any(events & select.POLLOUT for _, events in poll.poll(0)):
            os.write(fd, data[: select.PIPE_BUF])
    except OSError:
        return  # closed or broken: what it said is lost, its work is not
