"""What a call of a sequence returns."""

from __future__ import annotations

from hafta import exits
from hafta.engine.words import Failure, describe
from hafta.errors import HaftaError
from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self


#: Characters of a reason that `repr(result)` shows.
SHOWN = 80


class Result(Frozen):
    """How a call ended. True if it succeeded; `str()` reads as a sentence (the tutorial's HC_Strerror).

    `repr()` is one short line, for a debugger or a log; the fields have the rest.
    """

    sequence: str  # its name
    ok: bool  # whether it succeeded
    node: str | None = None  # where it failed
    reason: Any = None  # why
    attempt: int = 0  # the failing node's consecutive failures
    history: tuple[Failure, ...] = ()  # the newest failures of its nodes, also those that it recovered from
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

    def __repr__(self) -> str:
        how = "ok" if self.ok else f"failed at node {self.node}, attempt {self.attempt}"
        why = "" if self.ok else f": {_short(self.reason)}"
        return f"<Result of {self.sequence}: {how}, {self.failures} failure{'s' * (self.failures != 1)}{why}>"

    def check(self) -> Self:
        """Return the result if the call succeeded. Raises SequenceFailed if it did not."""
        if not self.ok:
            raise SequenceFailed(self)
        return self


def _short(reason: object) -> str:
    line = describe(reason)
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 3]}..."


class SequenceFailed(HaftaError):
    """A sequence failed. When it escapes a node, the inner result is the reason of that node's failure."""

    status = exits.FAILED
    reported = True  # the driver reports each sequence that fails

    def __init__(self, result: Result) -> None:
        super().__init__(str(result), "the journal has the history: journalctl HAFTA_SEQUENCE=" + result.sequence)
        self.result = result
