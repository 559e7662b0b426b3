"""A service: the runtime that feeds a watchdog, keeps STATUS, and reports to the journal without waiting.

Invariant: a ping means that the work moved since the last one. Whatever calls progress() (records written, checkpoints,
waits) feeds the watchdog; no thread and no timer does.
"""

from __future__ import annotations

import os
import time

from hafta.journal.choose import choose_sink
from hafta.journal.entry import printable
from hafta.journal.output import Output
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
        sink = choose_sink(environ, name)
        self.reporter = Reporter(sink, time.monotonic)
        #: Whether what we say goes to the journal itself rather than to somebody who reads lines.
        self.in_journal = sink.structured
        self.slice = min(HOUSEKEEPING, self.watchdog.slice or HOUSEKEEPING)
        self._stdout, self._stderr = Output(1), Output(2)
        self._next = 0.0
        self._status = ""

    def complain(self) -> None:
        """Report what the overlord has told us that makes no sense."""
        unusable = [("NOTIFY_SOCKET", self.notifier.complaint)] if self.notifier.complaint else []
        for variable, reason in filter(None, (*unusable, self.watchdog.complaint)):
            from hafta.journal.events import VariableIgnored

            self.report(VariableIgnored(variable, reason))

    def progress(self) -> None:
        """Note that the work has moved on; one comparison, except about twice a second and when a ping is due."""
        now = time.monotonic()
        if now >= self._next:
            self._beat(now)
            self._next = min(now + self.slice, self.watchdog.next)

    def _beat(self, now: float) -> None:
        if self.watchdog.due(now):
            self.notifier.watchdog()
        self.notifier.status(self.describe())
        self.notifier.tick()
        if count := self.notifier.recovered():
            from hafta.journal.events import NotificationsDropped

            self.report(NotificationsDropped(count))
        self.reporter.tick()

    def describe(self) -> str:
        """Return the STATUS line: what the body said, and where its sequence stands."""
        parts = [self._status, *(describe() for describe in self.describers[-1:])]
        return "; ".join(filter(None, parts))

    def status(self, text: object) -> None:
        """Say what the service is doing, for `systemctl status`."""
        self._status = str(text)

    def ready(self, status: str = "") -> None:
        """Tell the overlord that the service is up."""
        if status:
            self._status = status
        self.notifier.ready(self.describe())
        self.reporter.open()

    def report(self, event: Event) -> None:
        """Tell the journal of an event. Never blocks, never raises."""
        self.reporter.report(event)

    def stopped(self, why: str) -> None:
        """Say that the service ends as it should; a person at the terminal knows."""
        if self.in_journal:
            from hafta.journal.events import ServiceStopped

            self.report(ServiceStopped(self.name, why))
        self.notifier.stopping(f"stopping: {why}")

    def fail(self, message: str, hint: str, status: int, *, told: bool = False) -> None:
        """Say why the service ends: two lines on stderr, or one entry of the journal, unless that was told already."""
        if told:
            pass
        elif self.in_journal:
            from hafta.journal.events import ServiceFailed

            self.report(ServiceFailed(self.name, message, hint, status))
        else:
            lines = [f"error: {message}", hint] if hint else [f"error: {message}"]
            self._stderr.write("\n".join([f"{self.name}: {' '.join(printable(line).split())}" for line in lines]))
        self.notifier.stopping(f"failed: {message}")

    def print_trace(self, error: Exception) -> None:
        """Show where an error came from, on stderr; what that does not take at once is lost."""
        try:
            import traceback
        except OSError:  # no descriptor is left
            return
        for line in "".join(traceback.format_exception(error)).splitlines():
            self._stderr.write(line)

    def flush(self) -> None:
        """Send what the journal still owes: the process is about to end."""
        self.reporter.close()

    def say(self, text: object) -> None:
        """Say a line: to the terminal when started by hand, to the journal (priority debug) under systemd."""
        if self.in_journal:
            from hafta.journal.events import Said

            self.report(Said(str(text)))
        else:
            self._stdout.write(printable(str(text)))
