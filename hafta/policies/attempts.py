"""How often: the number of attempts."""

from __future__ import annotations

from hafta.engine.failures import KEPT
from hafta.engine.words import ROLL_BACK_PREVIOUS, Kind
from hafta.policies.given import count, then_verdict
from hafta.policies.policy import ReadyMade, rollbacks_failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.engine.words import PolicyEvent, Verdict

#: As a number of attempts: never give up.
FOREVER = float("inf")


class Attempts(ReadyMade):
    """Attempt the node `number` times in a row (the default policy: 5), then answer `then`.

    A rollback that fails is tried again in the same way: the `number`-th failure of the rollback function in a row gets
    `then` (at the latest the hundredth, because a call keeps 100 failures). Attempts(FOREVER) never gives up, neither
    the node nor its rollback. `then` is ROLL_BACK_PREVIOUS, FAIL_SEQUENCE, PANIC, EXIT or proceed(node). Raises
    TypeError for what is not a number or a verdict. Raises ValueError for less than one attempt, for a part of an
    attempt, and for ROLL_BACK_CURRENT, which would go on with the attempts.
    """

    grants = True

    def __init__(self, number: float, *, then: Verdict = ROLL_BACK_PREVIOUS) -> None:
        forever = isinstance(number, float) and number == FOREVER
        self.number = FOREVER if forever else count(number, "the number of attempts")
        self.then = then_verdict(then, "Attempts")

    def limit(self, event: PolicyEvent) -> Verdict | None:
        """Return what follows the last attempt."""
        if self.number == FOREVER:
            return None
        if event.kind is Kind.ROLLBACK_FAIL:
            return self.then if rollbacks_failed(event) >= min(self.number, KEPT) else None
        return self.then if event.attempt >= self.number else None
