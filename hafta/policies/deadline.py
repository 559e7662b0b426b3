"""How long: a deadline over the whole node, all attempts and waits together."""

from __future__ import annotations

from hafta.engine.words import ROLL_BACK_PREVIOUS
from hafta.policies.given import seconds as time_of
from hafta.policies.given import then_verdict
from hafta.policies.policy import ReadyMade

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.engine.words import PolicyEvent, Verdict


class Deadline(ReadyMade):
    """Give the node this many seconds from when control came to it; at a failure after that, answer `then`.

    A wait that would end at the deadline or after it is not begun: `then` is answered at once. It does not interrupt an
    attempt: that is what the node's timeout= is for. Raises TypeError for what is not a number or a verdict. Raises
    ValueError unless the seconds are more than 0 and finite, and for ROLL_BACK_CURRENT, which would go on with the
    attempts.
    """

    def __init__(self, seconds: float, *, then: Verdict = ROLL_BACK_PREVIOUS) -> None:
        self.seconds = time_of(seconds, "a deadline", above_zero=True)
        self.then: Verdict = then_verdict(then, "Deadline")

    def late(self, event: PolicyEvent, delay: float) -> Verdict | None:
        """Return what follows if the time is up after this delay."""
        return self.then if event.at - event.since + delay >= self.seconds else None
