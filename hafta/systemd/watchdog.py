"""When to ping the watchdog (sd_watchdog_enabled(3)).

With a period of P seconds (WatchdogSec=):

- a ping is due P/2 after the last one, and is sent at the first progress after that: at most two pings a period;
- waits are cut into slices of at most P/4, and each slice is progress.

So two pings are at most P/2 + P/4 apart, and P/4 is left for a slow machine. The promise fails, and the overlord kills
a service that does not hang, in three cases: one step of the work takes more than P/2 without progress; the process
does not get to run for P/4; the notify socket takes nothing for P/4. Choose WatchdogSec= at least twice as long as the
longest step. All times are on the monotonic clock.

A ping means that the work moved since the last one: there is no thread and no timer here. It allows the process to live
for P seconds more. So none is sent when that would outlast the lease of its record (docs/hosts.md, rule 6).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NEVER = float("inf")
USEC_MAX = 2**64 - 1  # systemd's "infinity"


class Watchdog:
    """The watchdog that $WATCHDOG_USEC asks for. If $WATCHDOG_PID is another process, there is none."""

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        #: Why the variables are not used: (variable, reason); None if nothing is wrong with them.
        self.complaint: tuple[str, str] | None = None
        #: Seconds within which the overlord expects a ping; None: it expects none.
        self.period = self._period(environ, pid)
        #: The longest that one slice of a wait may last, in seconds; None: no limit.
        self.slice = self.period and self.period / 4
        #: When a ping is due; infinity without a watchdog.
        self.next = NEVER if self.period is None else 0.0
        #: For how many seconds the process may surely work: a service whose record is leased ends before its lease.
        self.left: Callable[[], float] = lambda: NEVER

    def due(self, now: float) -> bool:
        """Tell whether to ping now, at a moment of progress. The next ping is due half a period later."""
        if now < self.next:
            return False
        assert self.period is not None
        self.next = now + self.period / 2
        return self.left() > self.period

    def disable(self) -> None:
        """Ping no more."""
        self.period = self.slice = None
        self.next = NEVER

    def _period(self, environ: Mapping[str, str], pid: int) -> float | None:
        usec = self._read(environ, "WATCHDOG_USEC", USEC_MAX - 1)
        owner = self._read(environ, "WATCHDOG_PID", 2**31 - 1)
        if usec is None or self.complaint or owner not in {None, pid}:
            return None
        return usec / 1_000_000

    def _read(self, environ: Mapping[str, str], variable: str, most: int) -> int | None:
        text = environ.get(variable)
        if text is None:
            return None
        if text.isascii() and text.isdigit() and len(text) <= 20 and 0 < int(text) <= most:
            return int(text)
        self.complaint = (variable, f"{text!r} is not a whole number from 1 to {most}")
        return None
