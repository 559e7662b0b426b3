"""When to ping the watchdog (sd_watchdog_enabled(3)).

With a period of P seconds (WatchdogSec=):

- a ping is due P/2 after the last one, and goes out at the first progress after that: at most two a period;
- waits are cut into slices of at most P/4, each of which is progress.

So two pings lie at most P/2 + P/4 apart, and P/4 is left for the machine being slow. The promise fails, and the
overlord kills a service that is not hung, when one step of the work goes on for more than P/2 without progress, when
the process is not run for P/4, or when the notify socket takes nothing for P/4. Choose WatchdogSec= at least twice the
longest step. All of it is on the monotonic clock.

A ping means that the work moved since the last one: nothing here has a thread or a timer.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

NEVER = float("inf")
USEC_MAX = 2**64 - 1  # systemd's "infinity"


class Watchdog:
    """The watchdog of $WATCHDOG_USEC; none if $WATCHDOG_PID is another process."""

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        #: Why the variables are not used: (variable, reason); None if nothing is wrong with them.
        self.complaint: tuple[str, str] | None = None
        #: Seconds within which the overlord wants a ping; None: it wants none.
        self.period = self._period(environ, pid)
        #: Seconds that a wait may last at a time; None: any.
        self.slice = self.period and self.period / 4
        #: When a ping is due; infinity without a watchdog.
        self.next = NEVER if self.period is None else 0.0

    def due(self, now: float) -> bool:
        """Tell whether to ping now, at a moment of progress; the next is due half a period later."""
        if now < self.next:
            return False
        assert self.period is not None
        self.next = now + self.period / 2
        return True

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
