"""Drills (docs/drill.md): what went down while one was going on did so because somebody wanted it, and does not count.

1. A drill lasts from its `drill-started` to its `drill-ended`; if that is missing, until the first says it ends at the
   latest.
2. What went down in that time was stopped (`drill`) until it was up again, and is not an outage of the history.
"""

from __future__ import annotations

from hafta.observe.intervals import DOWN, Class, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hafta.observe.outages import Outage

PART = "drill"
MOST = 64  # drills that are remembered


class Drills:
    """The drills of one unit, in their order."""

    def __init__(self) -> None:
        self._known: list[tuple[int, int, str]] = []  # from, to, which

    def begin(self, at: int, limit: int, drill: str) -> None:
        """One begins, and lasts so long at most."""
        self._known.append((at, at + limit, drill or PART))
        del self._known[:-MOST]

    def end(self, at: int) -> None:
        """The newest one has ended."""
        if self._known:
            begin, until, drill = self._known[-1]
            self._known[-1] = begin, max(begin, min(at, until)), drill

    def at(self, at: int) -> str:
        """Return which drill was going on; empty: none."""
        return next((drill for begin, until, drill in reversed(self._known) if begin <= at <= until), "")


def without(spans: Iterable[Span], outages: Sequence[Outage], end: int) -> list[Span]:
    """Return the spans with the time for which drills are the reason: rule 2."""
    found = list(spans)
    for one in outages:
        if one.drill:
            found = [piece for span in found for piece in _cut(span, one.at, end if one.until is None else one.until)]
    return found


def _cut(span: Span, begin: int, end: int) -> Iterator[Span]:
    first, last = max(span.begin, begin), min(span.end, end)
    if span.what not in DOWN or first >= last:
        yield span
        return
    if span.begin < first:
        yield span.replace(end=first)
    yield Span(first, last, Class.STOPPED, PART, span.run)
    if last < span.end:
        yield span.replace(begin=last)
