"""The failures of one call: the one that is being dealt with, and the newest ones before it."""

from __future__ import annotations

from collections import deque

from hafta.engine.words import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hafta.engine.node import Node
    from hafta.engine.words import Kind

    #: A failure as it is remembered: its number in this call, the node, and the other fields of Failure in their order.
    Entry = tuple[int, Node, Kind, int, int, Any, float]

#: How many failures a call remembers, the newest: a node that fails for a year must not fill the memory.
KEPT = 100


class Failures:
    """What a machine knows about its failures. It holds them as tuples, and makes Failures of them on request."""

    __slots__ = ("_failures", "_row", "failed", "failing")

    def __init__(self) -> None:
        self.failed = 0  # failures of this call, also those that are no longer remembered
        self.failing: Entry | None = None  # the failure that is being dealt with
        self._failures: deque[Entry] = deque(maxlen=KEPT)
        self._row = 0  # what `failed` was when the row of consecutive failures began

    @property
    def history(self) -> tuple[Failure, ...]:
        """The newest KEPT failures of this call, oldest first."""
        return listed(self._failures)

    @property
    def failure(self) -> Failure | None:
        """The failure that is being dealt with, or that the sequence has failed with."""
        return None if self.failing is None else Failure(str(self.failing[1]), *self.failing[2:])

    @property
    def newest_reason(self) -> Any:
        """The reason of the newest failure, be it of a rollback while unwinding; None before the first."""
        return self._failures[-1][5] if self._failures else None

    def forget_row(self, *, ended: bool = False) -> None:
        """Begin a row of consecutive failures, which this call has not seen unless the one before has `ended`.

        A count that came with a record ends as if its failures had happened in this call.
        """
        self._row = self.failed if ended else -1


def listed(entries: Iterable[Entry]) -> tuple[Failure, ...]:
    """Return them as Failures."""
    return tuple(Failure(str(entry[1]), *entry[2:]) for entry in entries)
