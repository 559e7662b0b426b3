"""How often: the number of attempts."""

from __future__ import annotations

from hafta.engine.words import ROLL_BACK_CURRENT, ROLL_BACK_PREVIOUS, Act, Verdict, checked
from hafta.policies.policy import Policy, may_limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.engine.words import PolicyEvent

FOREVER = float("inf")


class Attempts(Policy):
    """Attempt the node so often in a row (the default policy: 5), then do something else.

    `then` is a verdict: ROLL_BACK_PREVIOUS, FAIL_SEQUENCE, PANIC or proceed(node). Attempts(FOREVER) never gives up.
    Raises ValueError for less than one attempt.
    """

    def __init__(self, number: float, *, then: Verdict = ROLL_BACK_PREVIOUS) -> None:
        if not number >= 1:
            raise ValueError(f"a node has at least 1 attempt, not {number!r}")
        self.number = number
        self.then = checked(then, "then= of an Attempts")

    def refine(self, event: PolicyEvent, verdict: Verdict) -> Verdict:
        """Judge failures of the normal function that are rolled back; leave everything else."""
        if not may_limit(event, verdict):
            return verdict
        if event.attempt >= self.number:
            return self.then
        return verdict if verdict.act is Act.ROLL_BACK_CURRENT else ROLL_BACK_CURRENT
