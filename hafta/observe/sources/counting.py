"""Counting what the journal says, from where the last count ended: for `hafta metrics`.

Totals and the place in the journal stand in one file, which is replaced in one step: so nothing is counted twice, and
nothing is left out. Where reading cannot go on, because the entry has gone from the journal or another version wrote
the file, the totals stay, and what was in between is not counted.
"""

from __future__ import annotations

import json
import time

from hafta.frozen import Frozen
from hafta.observe.closing import begun_before, close
from hafta.observe.entry import Reading, Trust
from hafta.observe.fold import Fold
from hafta.observe.kept import Settled, Strange, back, plain
from hafta.observe.kinds import Kind
from hafta.observe.shown import Shown
from hafta.observe.sources.journal import Journal
from hafta.observe.sources.manager import boot_id
from hafta.observe.timeline import Timeline
from hafta.observe.totals import Totals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hafta.observe.entry import Entry
    from hafta.observe.totals import Key

VERSION = 1


class Counted(Frozen):
    """What was counted of one unit; its newest row of crashes, and how long it held itself back, in microseconds."""

    numbers: Mapping[Key, int]
    crashes: int | None
    hold: int
    is_cut: bool


class Count:
    """The count of some units. `data`: what `kept` has returned before; empty: it begins with the journal.

    Raises HaftaError if nothing of the journal can be seen, Strange for data that is not understood.
    """

    def __init__(self, data: str = "", user: int | None = None) -> None:
        self.user = user
        self.journal = Journal(user=user)
        self.timeline = Timeline()
        self.folds: dict[str, Fold] = {}
        self.totals: dict[str, Totals] = {}
        self.crashes: dict[str, list[int]] = {}  # of each unit: in a row, and the newest hold
        self.cursor = ""
        self._kept = ""
        self.is_interrupted = False  # whether reading could not go on where it ended
        if data:
            self._restore(data)

    def read(self) -> None:
        """Read what is new. A unit that reports its first event is counted from here on."""
        if self.cursor and not self.journal.is_there(self.cursor):
            self._lose()
        units = sorted({*self.totals, *self.journal.units(after=self.cursor)})
        for unit in units:
            self.totals.setdefault(unit, Totals())
        if not self.cursor and (head := self.journal.head()):
            self._begin(units, self.timeline.place(head.boot, head.wall, head.monotonic))
        reading = Reading(self.timeline, self.user)
        for raw in self.journal.read(units, after=self.cursor):
            if not raw.is_last:
                self.cursor = raw.cursor
            entry = reading.entry(raw)
            self._feed(entry, units)
            if sum(len(fold.tally.events) for fold in self.folds.values()) > 1000:
                self._settle()
        self._begin(units, self._now())
        self._settle()

    def kept(self) -> str:
        """Return what a later count goes on with: after read() and numbers()."""
        return self._kept

    def numbers(self, shown: Mapping[str, Mapping[str, Any]], asked: int) -> dict[str, Counted]:
        """Return what was counted, by unit. `shown`: what the manager said at `asked`, of the monotonic clock."""
        said = {unit: self._shown(shown.get(unit), asked) for unit in self.folds}
        for unit, fold in self.folds.items():
            begun_before(fold, said[unit])
        folds, kept_time = {unit: plain(fold) for unit, fold in self.folds.items()}, plain(self.timeline)
        found, now = {}, self._now()
        for unit, fold in self.folds.items():
            history = close(fold, fold.track.begin, now, said[unit], self.timeline.sleeps)
            numbers = self.totals[unit].publish(history.spans, history.outages)
            crashes, hold = self.crashes.get(unit, (None, 0))
            found[unit] = Counted(numbers, crashes, hold, self.totals[unit].is_cut)
        self._kept = self._as_text(folds, kept_time)
        return found

    def _begin(self, units: list[str], at: int) -> None:
        for unit in units:
            if unit not in self.folds:
                self.folds[unit] = Fold(unit, at, is_user=self.user is not None)

    def _now(self) -> int:
        wall, monotonic = time.time_ns() // 1000, time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        return self.timeline.place(boot_id(), wall, monotonic)

    def _feed(self, entry: Entry, units: list[str]) -> None:
        self._begin(units, entry.at)
        for fold in self.folds.values():
            fold.feed(entry)
        if entry.trust is Trust.SERVICE and entry.kind in (Kind.SERVICE_STARTED, Kind.HELD_BACK):
            hold = entry.number("HAFTA_DELAY_USEC") if entry.kind is Kind.HELD_BACK else 0
            self.crashes[entry.unit] = [entry.number("HAFTA_CRASHES"), hold]

    def _settle(self) -> None:
        for unit, fold in self.folds.items():
            settled = Settled(fold, self.timeline.sleeps)
            self.totals[unit].settle(settled.spans, settled.outages, asked=settled.asked)
            self.totals[unit].report(settled.events, settled.losses)
        self.timeline.forget()

    def _shown(self, facts: Mapping[str, Any] | None, asked: int) -> Shown | None:
        if facts is None:
            return None
        changed = facts.get("StateChangeTimestampMonotonic")
        at = self.timeline.of_monotonic(boot_id(), changed) if changed else None
        then = self.timeline.of_monotonic(boot_id(), asked)
        return Shown(str(facts.get("ActiveState", "")), str(facts.get("InvocationID") or ""), at, then)

    def _lose(self) -> None:
        self.is_interrupted = True
        self.folds.clear()
        self.timeline = Timeline()
        self.cursor = ""
        tail = self.journal.tail()
        if tail is not None:
            self.cursor = tail.cursor

    def _as_text(self, folds: Mapping[str, Any], timeline: Any) -> str:
        units = {
            unit: {
                "settled": [[*key, count] for key, count in totals.settled.items()],
                "published": [[*key, count] for key, count in totals.published.items()],
                "crashes": self.crashes.get(unit),
            }
            for unit, totals in self.totals.items()
        }
        place = {"cursor": self.cursor, "timeline": timeline, "folds": folds}
        return json.dumps({"version": VERSION, "user": self.user, "units": units, "place": place})

    def _restore(self, data: str) -> None:
        try:
            found = json.loads(data)
            if found["version"] != VERSION or found["user"] != self.user:
                raise Strange("of another version, or of another user")
            for unit, one in found["units"].items():
                self.totals[unit] = Totals(_numbers(one["settled"]), _numbers(one["published"]))
                if one["crashes"] is not None:
                    self.crashes[unit] = [int(number) for number in one["crashes"]]
            place = found["place"]
            self.cursor = str(place["cursor"])
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise Strange(str(error)) from error
        try:
            timeline, folds = back(place["timeline"]), {unit: back(one) for unit, one in place["folds"].items()}
        except (Strange, KeyError, TypeError, AttributeError, RecursionError):
            timeline, folds = None, {}
        if isinstance(timeline, Timeline) and all(isinstance(one, Fold) for one in folds.values()):
            self.timeline, self.folds = timeline, folds
        else:
            self._lose()


def _numbers(rows: list[list[Any]]) -> dict[Key, int]:
    found = {tuple(map(str, key)): int(count) for *key, count in rows}
    if any(count < 0 for count in found.values()):
        raise Strange("a number below 0")
    return found


def monotonic() -> int:
    """Return the time now, in microseconds of the monotonic clock."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
