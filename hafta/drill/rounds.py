"""What came of one disturbance, as the history of the unit has it: pure, from a fold and the entries that came since.

Times are microseconds since the disturbance.
"""

from __future__ import annotations

from hafta.frozen import Frozen
from hafta.observe.kinds import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafta.observe.entry import Entry
    from hafta.observe.fold import Fold

OUTRUN = 1_000  # microseconds by which two clocks of one moment may differ


class Resumed(Frozen):
    """Where a sequence resumed."""

    sequence: str
    node: str
    checkpoint: int
    name: str  # of the checkpoint; empty: it has none

    def __str__(self) -> str:
        return f"{self.node} {self.name or 'checkpoint'}({self.checkpoint})" if self.checkpoint else self.node


class Round(Frozen):
    """One round. None: it did not happen, or nobody tells."""

    at: float  # seconds since 1970
    noticed: int | None = None
    ready: int | None = None
    first_good: int | None = None
    resumed: Resumed | None = None
    cause: str = ""
    given_up: str = ""
    restarts: int = 0
    lost: int = 0
    at_end: str = ""  # ActiveState when the round was over

    @property
    def is_back(self) -> bool:
        """Whether it was down, and is up again."""
        return self.ready is not None


def round_of(fold: Fold, entries: Iterable[Entry], begin: int, wall: float) -> Round:
    """Return what came after `begin`: a time of the fold's timeline. `entries`: those of the unit since then."""
    since = begin - OUTRUN
    outages = [one for one in fold.outages if one.at >= since]
    entries = [one for one in entries if one.at >= since]
    resumed = next((one for one in entries if one.kind is Kind.RESUMED), None)
    good = next((one for one in entries if one.kind is Kind.RECOVERED), None)
    first = outages[0] if outages else None
    last = outages[-1] if outages else None
    is_restored = last is not None and last.outcome == "restored" and last.until is not None
    return Round(
        wall,
        None if first is None else max(0, first.at - begin),
        max(0, (last.until or 0) - begin) if is_restored and last else None,
        None if good is None else max(0, good.at - begin),
        None if resumed is None else where(resumed),
        first.cause if first else "",
        last.given_up if last else "",
        len(outages),
        sum(one.count for one in fold.tally.losses if one.at >= since),
    )


def where(entry: Entry) -> Resumed:
    """Return what an event `resumed` says."""
    fields = entry.fields
    return Resumed(
        fields.get("HAFTA_SEQUENCE", ""), fields.get("HAFTA_NODE", ""), entry.number("HAFTA_CHECKPOINT"),
        fields.get("HAFTA_CHECKPOINT_NAME", ""),
    )  # fmt: skip


def median(values: Iterable[int | None]) -> int | None:
    """Return the middle one of those that there are; of two, the longer."""
    known = sorted(one for one in values if one is not None)
    return known[len(known) // 2] if known else None


def longest(values: Iterable[int | None]) -> int | None:
    """Return the longest of those that there are."""
    return max((one for one in values if one is not None), default=None)
