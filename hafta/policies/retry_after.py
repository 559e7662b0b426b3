"""When the other side says: Retry-After."""

from __future__ import annotations

from hafta.policies.given import function, seconds
from hafta.policies.policy import ReadyMade
from hafta.policies.reasons import reasons_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.engine.words import PolicyEvent


class RetryAfter(ReadyMade):
    """Let the failure say how long to wait, as HTTP's Retry-After does: at most `cap` seconds.

    `read` returns the delay that a reason asks for, or None. Without it, that is the attribute `retry_after` of the
    reason, or of an exception in it (`reasons_in`); the longest one counts. A delay is a number of seconds (an int,
    float or Decimal), its text, an HTTP date, a timedelta or a datetime. Anything else, such as "soon", NaN or a
    negative number, is ignored: add a Backoff for that. `clock` gives the seconds since 1970, by default the wall
    clock; only dates need it. Raises TypeError for what is not a function or a number, and ValueError for a negative or
    endless cap.
    """

    def __init__(
        self,
        read: Callable[[Any], Any] | None = None,
        *,
        cap: float = 3600.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._read = None if read is None else function(read, "read= of RetryAfter")
        self.cap = seconds(cap, "cap= of RetryAfter")
        self._clock = _wall_clock if clock is None else function(clock, "clock= of RetryAfter")

    def wait(self, event: PolicyEvent) -> float:
        """Return the seconds to wait before trying again."""
        return self.delay(event.reason)

    def delay(self, reason: Any) -> float:
        """Return the seconds to wait after a failure for this reason."""
        from hafta.policies.moments import delay_in  # few reasons ask for a delay

        asked = map(_asked_by, reasons_in(reason)) if self._read is None else (self._read(reason),)
        delays = [delay for one in asked if (delay := delay_in(one, self._clock)) is not None]
        return min(max(delays, default=0.0), self.cap)


def _asked_by(reason: object) -> Any:
    try:
        return getattr(reason, "retry_after", None)
    except Exception:  # a property that looks for a header that is not there
        return None


def _wall_clock() -> float:
    from time import time

    return time()
