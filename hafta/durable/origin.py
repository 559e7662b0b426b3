"""Where a record comes from: what it says besides where its sequences are, as plain values and back.

Format 2 has when, in which boot, and by which process; 3 also how the process before ended; 4, of a store that several
hosts share, also the host, and what binds the record to it. A program that reads only smaller ones says so, and does
not call the others damaged. Version 1 was that of HAFTA before its first release.
"""

from __future__ import annotations

from hafta.death import Death
from hafta.durable.position import Position

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from hafta.durable.position import SequencePosition

    T = TypeVar("T")

PLAIN, WITH_CAUSE, WITH_HOST = 2, 3, 4
FORMATS = (PLAIN, WITH_CAUSE, WITH_HOST)
_WORDS = 4  # of a Death, behind its numbers
_SHARED = 2  # of its values: only in a store that hosts share


def form(position: Position) -> int:
    """Return the format that a position needs."""
    return WITH_HOST if position.host else PLAIN if position.cause is None else WITH_CAUSE


def more(position: Position) -> list[Any]:
    """Return what a format has beyond the first one."""
    cause = None if position.cause is None else [*position.cause.values()]
    if position.host:
        return [cause, [position.host, position.bound]]
    return [] if cause is None else [cause[:-_SHARED]]


def read(sequences: tuple[SequencePosition, ...], said: list[Any]) -> Position:
    """Return the position. Raises TypeError and ValueError for values that are not such."""
    entered, boottime, boot, pid, *rest = said
    known = _death(rest[0]) if rest and rest[0] is not None else None
    where = [a(str, word) for word in a(list, rest[1])] if len(rest) > 1 else []
    return Position(sequences, finite(entered), finite(boottime), a(str, boot), a(int, pid), known, *where)


def _death(said: list[Any]) -> Death:
    pid, signum, status, *rest = a(list, said)
    host, token = rest[_WORDS:] or ("", 0)
    why, sequence, node, detail = (a(str, word) for word in rest[:_WORDS])
    return Death(count(pid), count(signum), count(status), why, sequence, node, detail, a(str, host), count(token))


def a(kind: type[T], value: Any) -> T:
    """Return a value of this type. Raises TypeError."""
    if type(value) is not kind:
        raise TypeError(f"{type(value).__name__} where {kind.__name__} belongs")
    return value


def count(value: Any) -> int:
    """Return a number of 0 or more. Raises TypeError and ValueError."""
    if a(int, value) < 0:
        raise ValueError(f"{value} where a count belongs")
    return int(value)


def finite(value: Any) -> float:
    """Return a time. Raises TypeError and ValueError."""
    if not -1e15 < a(float, value) < 1e15:  # NaN is not, either
        raise ValueError(f"{value} where a time belongs")
    return float(value)
