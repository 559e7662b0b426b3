"""How soon: delays between attempts."""

from __future__ import annotations

from hafta.policies.policy import Policy, at_least, tries_again

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.engine.words import PolicyEvent, Verdict


class Backoff(Policy):
    """Wait between the rollback and the next attempt: `first` seconds, times `factor` each time, at most `cap`.

    `jitter` is the part of each wait that chance decides: 1 (all of it, which spreads a herd best) to 0 (none).
    `random` returns numbers from 0 to 1 (exclusive); tests give their own. Raises ValueError for values without sense.
    The wait before attempt n + 1 is min(cap, first * factor ** (n - 1)), less chance * jitter * that.
    """

    def __init__(
        self,
        first: float = 0.1,
        *,
        factor: float = 2.0,
        cap: float = 60.0,
        jitter: float = 1.0,
        random: Callable[[], float] | None = None,
    ) -> None:
        if not (0 <= first < float("inf") and factor >= 1 and 0 <= cap < float("inf") and 0 <= jitter <= 1):
            asked = f"first={first!r}, factor={factor!r}, cap={cap!r}, jitter={jitter!r}"
            raise ValueError(f"a backoff has first >= 0, factor >= 1, cap >= 0 and jitter from 0 to 1, not {asked}")
        self.first = first
        self.factor = factor
        self.cap = cap
        self.jitter = jitter
        self._random = random

    def refine(self, event: PolicyEvent, verdict: Verdict) -> Verdict:
        """Delay what tries again."""
        return at_least(verdict, self.delay(event.attempt)) if tries_again(event, verdict) else verdict

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait after so many failures in a row (1 or more)."""
        try:
            full = min(self.cap, self.first * self.factor ** (attempt - 1))
        except OverflowError:
            full = self.cap if self.first else 0.0
        return full - full * self.jitter * self._chance() if self.jitter else full

    def _chance(self) -> float:
        if self._random is None:
            from random import random

            self._random = random
        return self._random()


class RetryAfter(Policy):
    """Let the failure tell how long to wait, as HTTP's Retry-After does: at most `cap` seconds.

    `read` returns the seconds that a reason tells, or None; without it, the reason's attribute `retry_after` does.
    Raises ValueError for a cap without sense.
    """

    def __init__(self, read: Callable[[Any], Any] | None = None, *, cap: float = 3600.0) -> None:
        if not 0 <= cap < float("inf"):
            raise ValueError(f"the cap of a delay is 0 or more seconds, not {cap!r}")
        self._read = read or _told
        self.cap = cap

    def refine(self, event: PolicyEvent, verdict: Verdict) -> Verdict:
        """Delay what tries again, if the reason says so; a value that is no delay says nothing."""
        if not tries_again(event, verdict):
            return verdict
        told = self._read(event.reason)
        is_delay = isinstance(told, (int, float)) and told > 0
        return at_least(verdict, min(told, self.cap)) if is_delay else verdict


def _told(reason: object) -> Any:
    return getattr(reason, "retry_after", None)
