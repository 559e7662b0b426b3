"""How long: a deadline over the whole node, all attempts and waits together."""

from __future__ import annotations

from hafta.engine.words import ROLL_BACK_PREVIOUS, Act, Verdict, checked
from hafta.policies.policy import Policy, may_limit, tries_again

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.engine.words import PolicyEvent


class Deadline(Policy):
    """Give the node so many seconds from when control came to it; at a failure after that, answer `then`.

    It also answers `then` rather than begin a wait that would end after the deadline, so put it behind what delays. It
    does not interrupt an attempt: that is what the node's timeout= is for. Raises ValueError unless seconds > 0, and
    for ROLL_BACK_CURRENT, which would go on with the attempts.
    """

    def __init__(self, seconds: float, *, then: Verdict = ROLL_BACK_PREVIOUS) -> None:
        if not seconds > 0:
            raise ValueError(f"a deadline is more than 0 seconds, not {seconds!r}")
        self.seconds = seconds
        self.then = checked(then, "then= of a Deadline")
        if then.act is Act.ROLL_BACK_CURRENT:
            raise ValueError(f"a deadline ends the attempts: then= is not {then!r}")

    def refine(self, event: PolicyEvent, verdict: Verdict) -> Verdict:
        """Judge failures, and the waits before another attempt."""
        spent = event.at - event.since
        if may_limit(event, verdict) and spent >= self.seconds:
            return self.then
        if tries_again(event, verdict) and spent + verdict.delay >= self.seconds:
            return self.then
        return verdict
