"""Spans of time, each of one class: clipping, summing, laying some over others. Times are whole microseconds."""

from __future__ import annotations

from bisect import bisect_left
from enum import Enum

from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Class(Enum):
    """What a unit was. HELD is a part of being down: systemd or the service waited on purpose before a start."""

    UP = "up"
    DOWN = "down"
    HELD = "held"
    STOPPED = "stopped"
    MACHINE = "machine"
    UNKNOWN = "unknown"


DOWN = (Class.DOWN, Class.HELD)


class Span(Frozen):
    """A unit was so from `begin` to `end`. `part` says which part of a restoration it is, or why nothing is known."""

    begin: int
    end: int
    what: Class
    part: str = ""
    run: str = ""


class Track:
    """How a unit's class changes, told mostly in order; the past may be corrected from some time on."""

    def __init__(self, begin: int) -> None:
        self._marks: list[tuple[int, Class, str, str]] = [(begin, Class.UNKNOWN, "nothing is known before", "")]

    @property
    def now(self) -> Class:
        """The newest class."""
        return self._marks[-1][1]

    @property
    def since(self) -> int:
        """Since when it is so."""
        return self._marks[-1][0]

    def turn(self, at: int, what: Class, part: str = "", run: str = "") -> int:
        """From `at` on it is so; from the newest change on, if that is later. Returns the time that counts."""
        at = max(at, self.since)
        if at == self.since:
            self._marks.pop()
        self._marks.append((at, what, part, run))
        return at

    def correct(self, at: int, what: Class, part: str = "", run: str = "") -> int:
        """From `at` on it is so, also of later times that are told already. Never before the first mark."""
        at = max(at, self._marks[0][0])
        while len(self._marks) > 1 and self._marks[-1][0] >= at:
            self._marks.pop()
        return self.turn(at, what, part, run)

    def relabel(self, what: Class, part: str) -> None:
        """Say of the newest class what it really was."""
        at, _, _, run = self._marks[-1]
        self._marks[-1] = at, what, part, run

    def reaches(self, what: Class, at: int, part: str) -> None:
        """A later proof: the class before the newest unknown part `part` lasted until `at`."""
        for place in range(len(self._marks) - 1, max(len(self._marks) - 4, 0), -1):
            begin, found, why, run = self._marks[place]
            end = self._marks[place + 1][0] if place + 1 < len(self._marks) else at
            if found is Class.UNKNOWN and why == part and self._marks[place - 1][1] is what:
                self._marks[place] = min(max(begin, at), end), found, why, run
                return

    def was_from_the_beginning(self, what: Class, run: str) -> bool:
        """Say what it was before anything was known; False: there was no such time."""
        begin, found, _, _ = self._marks[0]
        if found is Class.UNKNOWN:
            self._marks[0] = begin, what, "", run
        return found is Class.UNKNOWN

    def settle(self, count: int) -> list[Span]:
        """Take out what is older than the newest `count` changes, and return it: it cannot be corrected any more."""
        if len(self._marks) <= count:
            return []
        old, self._marks = self._marks[: -count + 1], self._marks[-count:]
        ends = [mark[0] for mark in old[1:]]
        return [
            Span(begin, end, what, part, run)
            for (begin, what, part, run), end in zip(old[:-1], ends, strict=True)
            if end > begin
        ]

    @property
    def begin(self) -> int:
        """When it begins."""
        return self._marks[0][0]

    def spans(self, end: int) -> list[Span]:
        """Return all spans until `end`."""
        ends = [mark[0] for mark in self._marks[1:]] + [max(end, self.since)]
        made = (
            Span(begin, until, what, part, run)
            for (begin, what, part, run), until in zip(self._marks, ends, strict=True)
            if until > begin
        )
        return list(clip(made, self._marks[0][0], end))


def clip(spans: Iterable[Span], begin: int, end: int) -> Iterable[Span]:
    """Yield what of the spans lies in a window."""
    for span in spans:
        if span.begin < end and span.end > begin:
            if begin <= span.begin and span.end <= end:
                yield span
            else:
                yield span.replace(begin=max(span.begin, begin), end=min(span.end, end))


def sums(spans: Iterable[Span]) -> dict[Class, int]:
    """Return how long it was what."""
    found = dict.fromkeys(Class, 0)
    for span in spans:
        found[span.what] += span.end - span.begin
    return found


def parts(spans: Iterable[Span]) -> dict[str, int]:
    """Return how long each part of being down took."""
    found: dict[str, int] = {}
    for span in spans:
        if span.what in DOWN:
            found[span.part] = found.get(span.part, 0) + span.end - span.begin
    return found


def class_at(spans: Sequence[Span], at: int) -> Class:
    """Return the class at a time; UNKNOWN outside of all spans."""
    place = bisect_left(spans, at + 1, key=lambda span: span.begin) - 1
    return spans[place].what if place >= 0 and spans[place].end > at else Class.UNKNOWN


def overlay(spans: Iterable[Span], over: Sequence[tuple[int, int]], what: Class, part: str) -> list[Span]:
    """Return the spans with others laid over them, wherever the unit was up or down."""
    found = list(spans)
    for begin, end in over:
        found = [piece for span in found for piece in _cut(span, begin, end, what, part)]
    return found


def _cut(span: Span, begin: int, end: int, what: Class, part: str) -> Iterable[Span]:
    if span.what not in (Class.UP, *DOWN) or span.end <= begin or span.begin >= end:
        return (span,)
    pieces = (
        span.replace(end=begin),
        Span(max(begin, span.begin), min(end, span.end), what, part, span.run),
        span.replace(begin=end),
    )
    return [piece for piece in pieces if piece.end > piece.begin]
