"""What for: certain reasons get a verdict of their own."""

from __future__ import annotations

from hafta.engine.words import FAIL_SEQUENCE, PANIC, Verdict, checked
from hafta.policies.policy import FAILURES, Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.engine.words import PolicyEvent

    What = type[BaseException] | tuple[type[BaseException], ...] | Callable[[Any], bool]


class On(Policy):
    """Answer `verdict` to a failure whose reason is of this exception type, or for which this function is true."""

    def __init__(self, what: What, verdict: Verdict) -> None:
        self._what = what
        self.verdict = checked(verdict, "the verdict of an On")

    def refine(self, event: PolicyEvent, verdict: Verdict) -> Verdict:
        """Judge failures of the normal function by their reason."""
        return self.verdict if event.kind in FAILURES and self._matches(event.reason) else verdict

    def _matches(self, reason: Any) -> bool:
        if isinstance(self._what, (type, tuple)):
            return isinstance(reason, self._what)
        return bool(self._what(reason))


class FailSequence(On):
    """Fail the sequence at such a failure; at any, if it is not said which."""

    def __init__(self, what: What | None = None) -> None:
        super().__init__(_any if what is None else what, FAIL_SEQUENCE)


class Panic(On):
    """Panic at such a failure; at any, if it is not said which."""

    def __init__(self, what: What | None = None) -> None:
        super().__init__(_any if what is None else what, PANIC)


def _any(_reason: object) -> bool:
    return True
