"""What for: certain reasons get their own verdict."""

from __future__ import annotations

from hafta.engine.words import FAIL_SEQUENCE, PANIC, checked
from hafta.policies.given import function
from hafta.policies.policy import ReadyMade

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.engine.words import Verdict

    What = type[BaseException] | tuple[type[BaseException], ...] | Callable[[Any], bool]


class On(ReadyMade):
    """Answer `verdict` to a failure whose reason is of this exception type, or for which this function is true.

    `what` is an exception type, a tuple of them, or a function of the reason. Types are looked for in exception groups,
    causes and results of inner sequences, too (`reasons_in`); a function is asked about the reason as it is. Raises
    TypeError for anything else.
    """

    def __init__(self, what: What, verdict: Verdict) -> None:
        name = type(self).__name__
        self.about, self.holds = _understood(what, name)
        self.verdict = checked(verdict, f"the verdict of {name}")


class FailSequence(On):
    """Fail the sequence at such a failure; `Attempts(1, then=FAIL_SEQUENCE)` does so at any."""

    def __init__(self, what: What) -> None:
        super().__init__(what, FAIL_SEQUENCE)


class Panic(On):
    """Panic at such a failure; `Attempts(1, then=PANIC)` does so at any."""

    def __init__(self, what: What) -> None:
        super().__init__(what, PANIC)


def _understood(what: Any, policy: str) -> tuple[tuple[type[BaseException], ...], Callable[[Any], bool] | None]:
    """Return the exception types, or the function, that this stands for."""
    given = what if isinstance(what, tuple) else (what,)
    if all(isinstance(one, type) and issubclass(one, BaseException) for one in given):
        return given, None
    if callable(what) and not isinstance(what, type):
        return (), function(what, f"what {policy} is about")
    wrong = next(one for one in given if not (isinstance(one, type) and issubclass(one, BaseException)))
    raise TypeError(
        f"{policy} is about exception types, or a function of the reason, not {wrong!r}:"
        " for other reasons write lambda reason: ..."
    )
