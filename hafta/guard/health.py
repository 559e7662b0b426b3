"""What a row of passes and failures means. Decides only: no clock, no probe, no program.

| state | pass | failure |
|---|---|---|
| starting | READY -> passing | WAIT -> starting: the start grace is a timer of the guard |
| passing | PASSING | TOLERATED; the `limit`-th in a row: FAILED -> failing |
| failing | RECOVERED -> passing | STILL |

FAILED comes once in a row of failures: what it leads to (the watchdog, or the end of the program) is begun once.
"""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """What a round of probes means for the program."""

    READY = "the first pass"
    PASSING = "as before"
    RECOVERED = "it passes again"
    WAIT = "not up yet"
    TOLERATED = "a failure, of which there may be some in a row"
    FAILED = "one failure too many"
    STILL = "it goes on failing"


class Health:
    """Counts failures in a row. `limit` of them make a program that was ready a failed one."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.failures = 0  # in a row, since it was ready
        self.is_ready = False
        self.reason = ""  # why the newest round failed

    @property
    def is_failing(self) -> bool:
        """Whether the program has failed and not passed since."""
        return self.failures >= self.limit

    def judge(self, reason: str) -> Verdict:
        """Take the outcome of one round, empty for a pass; return what it means."""
        if not reason:
            return self._passed()
        self.reason = reason
        if not self.is_ready:
            return Verdict.WAIT
        self.failures += 1
        if self.failures == self.limit:
            return Verdict.FAILED
        return Verdict.STILL if self.is_failing else Verdict.TOLERATED

    def _passed(self) -> Verdict:
        was_ready, was_failing = self.is_ready, self.is_failing
        self.is_ready, self.failures = True, 0
        if not was_ready:
            return Verdict.READY
        return Verdict.RECOVERED if was_failing else Verdict.PASSING
