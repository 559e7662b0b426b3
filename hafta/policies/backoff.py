"""How soon: delays between attempts."""

from __future__ import annotations

from hafta.engine.words import Kind
from hafta.policies.given import function, number, seconds
from hafta.policies.policy import ReadyMade, rollbacks_failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.engine.words import PolicyEvent


class Backoff(ReadyMade):
    """Wait between the rollback and the next attempt: `first` seconds, times `factor` each time, at most `cap`.

    The wait before attempt n + 1 is min(cap, first * factor ** (n - 1)), less chance * jitter * that. A failed rollback
    that is tried again waits in the same way. `jitter` is the part of each wait that chance decides, from 1 (all of it:
    clients that failed together come back one by one) to 0 (none). `random` returns numbers from 0 to 1 (exclusive);
    tests give their own. Raises TypeError for what is not a number, and ValueError for a negative or endless time, a
    factor below 1, and a jitter outside of 0 to 1.
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
        self.first = seconds(first, "the first wait of Backoff")
        self.factor = number(factor, "factor= of Backoff", "1 or more", least=1)
        self.cap = seconds(cap, "cap= of Backoff")
        self.jitter = number(jitter, "jitter= of Backoff", "a number from 0 to 1", most=1)
        self._random = None if random is None else function(random, "random= of Backoff")

    def wait(self, event: PolicyEvent) -> float:
        """Return the seconds to wait before trying again."""
        return self.delay(rollbacks_failed(event) if event.kind is Kind.ROLLBACK_FAIL else event.attempt)

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait after this many failures in a row (1 or more)."""
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
