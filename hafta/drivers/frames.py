"""Letting go of the frames that failed functions left behind.

An exception holds the frames that it passed through, and these their local variables: the socket that the next attempt
wants to bind again, the lock that it wants to take. So before a node is tried again, the exceptions of earlier failures
lose their tracebacks; those that a sequence ends with keep theirs.
"""

from __future__ import annotations

from hafta.result import Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def let_go(reason: Any, handled: BaseException | None) -> None:
    """Free the frames of this reason: an exception with its causes, or the result of an inner sequence.

    `handled` is what the caller of the sequence was handling: part of the chain, but not ours to change.
    """
    if isinstance(reason, Exception) and not isinstance(reason, ExceptionGroup):
        reason.with_traceback(None)  # not by assignment, which a frozen dataclass refuses
        if reason.__context__ is None and reason.__cause__ is None:
            return  # the usual case
    seen = {id(handled)}
    todo = [reason]
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, BaseException):
            one.with_traceback(None)
            todo += [one.__cause__, one.__context__]
            todo += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        elif isinstance(one, Result):
            todo += [one.reason, *(failure.reason for failure in one.history)]
