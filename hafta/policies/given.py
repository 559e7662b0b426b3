"""What a policy is given is checked where it is given: a mistake in a count is found at start-up, not in a failure."""

from __future__ import annotations

from hafta.engine.signature import is_async, is_generator
from hafta.engine.words import Act, Verdict, checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ENDLESS = float("inf")


def count(given: Any, what: str) -> int:
    """Return a count of 1 or more. Raises TypeError for what is not a number, ValueError for another one."""
    _number(given, what, "a whole number")
    if not isinstance(given, int) or given < 1:
        raise ValueError(f"{what} is a whole number of 1 or more, not {given!r}")
    return given


def seconds(given: Any, what: str, *, above_zero: bool = False) -> float:
    """Return a time that ends. Raises TypeError for what is not a number, ValueError for a negative or endless one."""
    return number(given, what, "more than 0 seconds" if above_zero else "0 or more seconds", above_zero=above_zero)


def number(
    given: Any, what: str, means: str, *, least: float = 0.0, most: float = _ENDLESS, above_zero: bool = False
) -> float:
    """Return a finite number within these bounds; `means` says which they are. Raises TypeError, ValueError."""
    _number(given, what, means)
    try:
        value = float(given)
    except OverflowError:
        value = _ENDLESS
    if not (least <= value <= most and value < _ENDLESS) or (above_zero and not value):
        raise ValueError(f"{what} is {means}, not {given!r}")
    return value


def function(given: Any, what: str) -> Any:
    """Return a plain function. Raises TypeError for a class, an `async def`, a generator, and what cannot be called.

    What the middle two answer is always true.
    """
    if not callable(given) or isinstance(given, type) or is_async(given) or is_generator(given):
        raise TypeError(f"{what} is a plain function, not {given!r}")
    return given


def then_verdict(given: Any, policy: str) -> Verdict:
    """Return what follows a limit: any verdict but ROLL_BACK_CURRENT. Raises TypeError, ValueError."""
    verdict = checked(given, f"then= of {policy}")
    if verdict.act is Act.ROLL_BACK_CURRENT:
        raise ValueError(f"then= of {policy} ends the attempts, and {given!r} would go on with them")
    return verdict


def _number(given: Any, what: str, means: str) -> None:
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise TypeError(f"{what} is {means}, not {given!r}")
