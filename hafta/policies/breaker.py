"""A circuit breaker: stop trying for a while what fails too often."""

from __future__ import annotations

from hafta.engine.words import Kind, Verdict, checked
from hafta.policies.policy import FAILURES, Policy, at_least, may_limit, tries_again

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.engine.words import PolicyEvent

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half-open"


class CircuitBreaker(Policy):
    """Open after so many `failures` within `within` seconds; then wait `cooldown` seconds before one probe.

    Closed: everything passes. Open: the next attempt waits until the cooldown is over; with `then`, that verdict is
    given at once instead. Half-open: one attempt is the probe; its success closes the breaker, its failure opens it
    for another cooldown. One breaker may be given to several nodes that use the same thing: it then counts the
    failures of all, from one thread or event loop, and each failure while it is open begins the cooldown again. It
    holds back what is tried again; a first attempt is asked of nobody. Raises ValueError for values without sense.
    """

    def __init__(
        self, failures: int = 5, *, within: float = 60.0, cooldown: float = 30.0, then: Verdict | None = None
    ) -> None:
        if not (failures >= 1 and within > 0 and cooldown >= 0):
            asked = f"failures={failures!r}, within={within!r}, cooldown={cooldown!r}"
            raise ValueError(f"a circuit breaker has failures >= 1, within > 0 and cooldown >= 0, not {asked}")
        self.failures = failures
        self.within = within
        self.cooldown = cooldown
        self.then = None if then is None else checked(then, "then= of a CircuitBreaker")
        self._failed: list[float] = []  # when, the newest `failures` of them
        self._opened: float | None = None

    def state(self, now: float) -> str:
        """Return CLOSED, OPEN or HALF_OPEN, at this time on the driver's clock."""
        if self._opened is None:
            return CLOSED
        return OPEN if now - self._opened < self.cooldown else HALF_OPEN

    def refine(self, event: PolicyEvent, verdict: Verdict) -> Verdict:
        """Count, and hold back what tries again while the breaker is open."""
        if event.kind in FAILURES:
            self._count(event.at)
            if self.then is None or self._opened is None or not may_limit(event, verdict):
                return verdict
            return self.then
        if event.kind is Kind.NORMAL_SUCCESS:
            self._close()
        elif self._opened is not None and tries_again(event, verdict):
            return at_least(verdict, max(0.0, self._opened + self.cooldown - event.at))
        return verdict

    def _count(self, now: float) -> None:
        self._failed = (
            [at for at in self._failed if now - at < self.within][-(self.failures - 1) :] if self.failures > 1 else []
        )
        self._failed.append(now)
        if self._opened is not None or len(self._failed) >= self.failures:
            self._opened = now

    def _close(self) -> None:
        if self._opened is not None:
            self._opened = None
            self._failed = []
