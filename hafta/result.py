"""What a call of a sequence gives back."""

from __future__ import annotations

from hafta import exits
from hafta.engine.words import Failure, describe
from hafta.errors import HaftaError
from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self


class Result(Record):
    """How a call ended. True if it succeeded; `str()` reads as a sentence (the tutorial's HC_Strerror)."""

    sequence: str
    ok: bool
    node: str | None = None  # where it failed
    reason: Any = None  # why
    attempt: int = 0  # the failing node's consecutive failures
    history: tuple[Failure, ...] = ()  # the newest failures of its nodes, also those that were overcome
    failures: int = 0  # how many there were in all
    duration: float = 0.0  # seconds

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        if not self.ok:
            return f"{self.sequence} failed at node {self.node}, attempt {self.attempt}: {describe(self.reason)}"
        if not self.failures:
            return f"{self.sequence} succeeded"
        return f"{self.sequence} succeeded after {self.failures} failure{'s' * (self.failures > 1)}"

    def check(self) -> Self:
        """Return the result if the call succeeded; else raise SequenceFailed."""
        if not self.ok:
            raise SequenceFailed(self)
        return self


class SequenceFailed(HaftaError):
    """A sequence failed. When it escapes a node, the inner result is the reason of that node's failure."""

    status = exits.FAILED
    told = True  # the driver reports each sequence that fails

    def __init__(self, result: Result) -> None:
        super().__init__(str(result), "the journal has the history: journalctl HAFTA_SEQUENCE=" + result.sequence)
        self.result = result
