"""A circuit breaker: stop trying for a while what fails too often."""

from __future__ import annotations

from hafta.engine.words import Kind
from hafta.errors import HaftaError
from hafta.policies.given import count, seconds, then_verdict
from hafta.policies.policy import ReadyMade

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.engine.words import PolicyEvent, Verdict

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half-open"
_COUNTED = frozenset({Kind.NORMAL_FAIL, Kind.INTERRUPTED})
_ROUNDING = 1e-6  # seconds: a wait for the end of the cooldown has reached it, however the sum is rounded


class CircuitOpen(HaftaError):
    """The reason of an attempt that an open circuit breaker did not let begin; `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        hint = "see in the journal what failed before; after that time one attempt is let through"
        super().__init__(f"the circuit breaker is open for another {retry_after:.3g} s", hint)
        self.retry_after = retry_after


class CircuitBreaker(ReadyMade):
    """Open after `failures` failures within `within` seconds; then wait `cooldown` seconds before one probe.

    Closed: everything passes. Open: the next attempt waits until the cooldown is over; with `then`, that verdict is
    given at once instead. Half-open: one attempt is the probe; its success closes the breaker, its failure opens it
    for another cooldown. An attempt that would begin while it is open, such as the first one of another call, fails at
    once with CircuitOpen: its function does not run, and the breaker does not count it. One breaker may be given to
    several nodes that use the same thing, in one thread or event loop: it counts the failures of all, and each failure
    while it is open begins the cooldown again. Raises TypeError and ValueError for what is not a count, a time or a
    verdict that ends the attempts.
    """

    def __init__(
        self, failures: int = 5, *, within: float = 60.0, cooldown: float = 30.0, then: Verdict | None = None
    ) -> None:
        self.failures = count(failures, "failures= of CircuitBreaker")
        self.within = seconds(within, "within= of CircuitBreaker", above_zero=True)
        self.cooldown = seconds(cooldown, "cooldown= of CircuitBreaker")
        self.then = None if then is None else then_verdict(then, "CircuitBreaker")
        self._failed: list[float] = []  # when, the newest `failures` of them
        self._opened: float | None = None

    def state(self, now: float) -> str:
        """Return CLOSED, OPEN or HALF_OPEN, at this time on the driver's clock."""
        if self._opened is None:
            return CLOSED
        return OPEN if self._left(now) else HALF_OPEN

    def admit(self, now: float) -> None:
        """Raise CircuitOpen while the breaker is open."""
        if left := self._left(now):
            raise CircuitOpen(left)

    def notice(self, event: PolicyEvent) -> None:
        """Count failures; close at a success."""
        if event.kind in _COUNTED and not isinstance(event.reason, CircuitOpen):
            self._count(event.at)
        elif event.kind is Kind.NORMAL_SUCCESS and self._opened is not None:
            self._opened = None
            self._failed = []

    def limit(self, event: PolicyEvent) -> Verdict | None:
        """Return what is to be done at once while the breaker is open."""
        return self.then if self._opened is not None and event.kind in _COUNTED else None

    def wait(self, event: PolicyEvent) -> float:
        """Return the rest of the cooldown."""
        return self._left(event.at)

    def _left(self, now: float) -> float:
        left = 0.0 if self._opened is None else self._opened + self.cooldown - now
        return left if left > _ROUNDING else 0.0

    def _count(self, now: float) -> None:
        recent = [at for at in self._failed if now - at < self.within]
        self._failed = [*recent, now][-self.failures :]
        if self._opened is not None or len(self._failed) >= self.failures:
            self._opened = now
