"""What is in a reason: exceptions come in groups, with causes, and as the result of an inner sequence.

The nearest exception decides. Near are the reason and what it only wraps: the members of an exception group, however
deep, and the own reason of an inner sequence's Result. Then come the causes of all these (`raise ... from`), then the
causes of the causes. What was merely being handled when an exception was raised (`__context__`) does not count: in a
program that tries again, that is often the failure before, or an accident in a clean-up.
"""

from __future__ import annotations

from hafta.errors import HaftaError
from hafta.result import Result, SequenceFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_WRAPPERS = (BaseExceptionGroup, Result, SequenceFailed)
_WIDE = (HaftaError, Exception, BaseException)


def reasons_in(reason: Any) -> Iterator[Any]:
    """Yield a reason and all reasons in it, nearest first: for the functions that policies are given.

    `FailSequence(lambda reason: any(one == 101 for one in reasons_in(reason)))`. These are: the reason, members of
    exception groups, the own reason of an inner sequence's Result, and the causes (`__cause__`) of all these.
    """
    for level in levels(reason):
        yield from level


def levels(reason: Any) -> Iterator[list[Any]]:
    """Yield the reasons in this one, those that are equally near together. Each comes once, also in circles."""
    seen: set[int] = set()
    level = [reason]
    while found := _unwrapped(level, seen):
        yield found
        level = [one.__cause__ for one in found if isinstance(one, BaseException) and one.__cause__ is not None]


def classes_of(reason: Any) -> tuple[type, ...]:
    """Return the classes that stand for this reason, nearest first, in the order of an `except`.

    A wrapper itself is only found by its class (`ExceptionGroup`); `Exception` is about what is in it.
    """
    kinds = SequenceFailed.__mro__ if isinstance(reason, Result) else type(reason).__mro__
    return tuple(kind for kind in kinds if kind not in _WIDE) if isinstance(reason, _WRAPPERS) else kinds


def _unwrapped(reasons: list[Any], seen: set[int]) -> list[Any]:
    found, left = [], reasons[::-1]
    while left:
        one = left.pop()
        if id(one) not in seen:
            seen.add(id(one))
            found.append(one)
            left += reversed(_wrapped_in(one))
    return found


def _wrapped_in(reason: Any) -> tuple[Any, ...]:
    if isinstance(reason, BaseExceptionGroup):
        return reason.exceptions
    if isinstance(reason, SequenceFailed):
        return (reason.result.reason,)
    return (reason.reason,) if isinstance(reason, Result) else ()
