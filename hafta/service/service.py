"""A service: the runtime that feeds a watchdog, sends STATUS, and reports to the journal without waiting.

Invariant: a ping means that the work moved since the last one. Only calls of progress() feed the watchdog (records
written, checkpoints, waits). No thread and no timer feeds it.
"""

from __future__ import annotations

import os
import time
from _thread import get_native_id

from hafta.errors import class_of
from hafta.journal.choose import choose_sink
from hafta.journal.entry import printable
from hafta.journal.output import Output
from hafta.journal.reporter import Reporter
from hafta.runtime import Runtime
from hafta.service.life import Life
from hafta.systemd.notify import Notifier
from hafta.systemd.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from typing import Any, TypeVar

    from hafta.journal.event import Event

    T = TypeVar("T")

#: At most this many seconds between two looks at what is waiting to be sent (status, summaries, counts of drops).
HOUSEKEEPING = 0.5


class Service(Runtime):
    """The runtime that the body of a service is given."""

    #: Whether a warm parent replaces this process (hafta/service/warm/).
    is_warm = False

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        super().__init__()
        self.name = name
        self.notifier = Notifier(environ)
        self.watchdog = Watchdog(environ, os.getpid())
        self.life = Life(name, environ)
        sink = choose_sink(environ, name, self.life.about)
        self.reporter = Reporter(sink, time.monotonic)
        #: Whether the output goes to the journal itself; if not, it is lines for a person.
        self.in_journal = sink.structured
        self.slice = min(HOUSEKEEPING, self.watchdog.slice or HOUSEKEEPING)
        self._output = Output(1), Output(2)
        self._next = 0.0
        self._status = ""

    def complain(self) -> None:
        """Report the variables from the overlord that cannot be used."""
        unusable = [("NOTIFY_SOCKET", self.notifier.complaint)] if self.notifier.complaint else []
        for variable, reason in filter(None, (*unusable, self.watchdog.complaint)):
            from hafta.journal.events import VariableIgnored

            self.report(VariableIgnored(variable, reason))

    def progress(self) -> None:
        """Note that the work has moved on. Costs one comparison, except twice a second and when a ping is due."""
        now = time.monotonic()
        if now >= self._next:
            self._beat(now)
            self._next = min(now + self.slice, self.watchdog.next)

    def _beat(self, now: float) -> None:
        if self.watchdog.due(now):
            self.notifier.watchdog()
        self.notifier.status(self.describe())
        self.life.published.show(self.describers)
        self.notifier.tick()
        if count := self.notifier.recovered():
            from hafta.journal.events import NotificationsDropped

            self.report(NotificationsDropped(count))
        self.reporter.tick()

    def answered(self) -> None:
        """Note that an announced wait is over, and that it was progress."""
        self._waited()

    def may_go(self) -> bool:
        """Tell whether another worker is to take the place of this one. Without a warm parent there is none."""
        return False

    def describe(self) -> str:
        """Return the STATUS line: what the body said, and where its sequence is."""
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
        if not self.life.is_up:
            self.life.is_up = True
            self.life.published.announce()
            if (
                self.reporter.records and not self.is_warm
            ):  # a person sees that anyway, and a parent says it for its workers
                self.report(self.life.started(self.name))

    def publish(self, **facts: str | int | list[str]) -> None:
        """Say more about the service to those who look at it (published.py)."""
        self.life.published.note(**facts)
        if self.life.is_up:
            self.life.published.announce()

    def run_async(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in an event loop that a stop ends like every wait (hafta/service/loops.py)."""
        if get_native_id() != os.getpid():  # in a thread, which no signal reaches
            return super().run_async(coroutine)
        from hafta.service.loops import run

        return run(coroutine)

    def report(self, event: Event) -> None:
        """Report an event to the journal. Never blocks, never raises."""
        self.reporter.report(event)

    def stopped(self, why: str) -> None:
        """Report that the service ends as it should. A person at the terminal sees that anyway."""
        if self.reporter.records:
            from hafta.journal.events import ServiceStopped

            self.report(ServiceStopped(self.name, why))
        self.notifier.stopping(f"stopping: {why}")

    def fail(
        self, message: str, hint: str, status: int, *, reported: bool = False, error: BaseException | None = None
    ) -> None:
        """Say why the service ends: two lines on stderr, or one entry of the journal, unless that was reported already.

        If the program has set up logging, its log gets the entry, and stderr gets the two lines as well.
        """
        if not reported:
            self._report_failure(message, hint, status, error)
        self.notifier.stopping(f"failed: {message}")

    def _report_failure(self, message: str, hint: str, status: int, error: BaseException | None) -> None:
        if not self.in_journal:
            from hafta.journal.logs import is_set_up  # the sink has loaded it

            lines = [f"error: {message}", hint] if hint else [f"error: {message}"]
            self._output[1].write("\n".join([f"{self.name}: {' '.join(printable(line).split())}" for line in lines]))
            if not is_set_up() and not self.reporter.records:
                return
        from hafta.journal.events import ServiceFailed

        self.report(ServiceFailed(self.name, message, hint, status, None if error is None else class_of(error)))

    def print_trace(self, error: BaseException) -> None:
        """Show on stderr where an error came from. What stderr does not take at once is lost."""
        try:
            import traceback
        except OSError:  # no descriptor is left
            return
        for line in "".join(traceback.format_exception(error)).splitlines():
            self._output[1].write(line)

    def disown(self) -> None:
        """Tell the overlord nothing more: this is a forked child, not the service."""
        self.notifier.disable()
        self.watchdog.disable()
        self.life.published.disown()

    def flush(self) -> None:
        """Send to the journal what is still waiting: the process is about to end."""
        self.reporter.close()
        self.notifier.close()

    def say(self, text: object) -> None:
        """Print a line on the terminal if started by hand. Under systemd it is an entry of priority debug."""
        if self.in_journal:
            from hafta.journal.events import Said

            self.report(Said(str(text)))
        else:
            self._output[0].write(printable(str(text)))
