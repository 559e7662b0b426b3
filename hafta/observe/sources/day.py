"""The last day in the journal, for `hafta status`, which does not wait for it: what takes longer is not known."""

from __future__ import annotations

import os
import time

from hafta.errors import HaftaError
from hafta.observe.closing import close
from hafta.observe.fold import Fold
from hafta.observe.recent import ROLLBACKS, recent, rollback
from hafta.observe.shown import Shown
from hafta.observe.sources.eventlog import choose
from hafta.observe.sources.journal import Journal
from hafta.observe.sources.manager import boot_id
from hafta.observe.timeline import Timeline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hafta.observe.entry import Entry, Raw, Reading
    from hafta.observe.recent import Recent, Rollback
    from hafta.observe.sources.eventlog import EventLog

PATIENCE = 0.1  # seconds, for opening and reading
DAY = 86_400_000_000  # microseconds


def read(units: Mapping[str, Mapping[str, Any]], *, of_user: bool) -> tuple[dict[str, Recent], list[str]]:
    """Return the last day of these units, and what could not be seen: then nothing is known of any.

    `units`: what the manager says of each now.
    """
    try:
        return _read(Journal(user=os.getuid() if of_user else None), units, of_user=of_user)
    except HaftaError as error:
        return {}, [f"journal: {error.message}; {error.hint}"]


def read_eventlog(
    units: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str]
) -> tuple[dict[str, Recent], list[str]]:
    """Return the last day of these units of embedded overlords, and what could not be seen."""
    log = choose("", environ)
    return ({}, []) if log is None else _read(log, units, of_user=False)


def _read(
    journal: Journal | EventLog, units: Mapping[str, Mapping[str, Any]], *, of_user: bool
) -> tuple[dict[str, Recent], list[str]]:
    end, name = time.monotonic() + PATIENCE, journal.name.removeprefix("the ")
    try:
        past = _Past(units, journal.reading, of_user=of_user)
        for raw in journal.read([*units], since=time.time_ns() // 1000 - DAY):
            if time.monotonic() > end:
                return {}, [f"{name}: its last day takes more than {PATIENCE:g} s to read; hafta report takes its time"]
            past.add(raw)
    except OSError as error:
        return {}, [f"{name}: {error.strerror}"]
    if journal.missing:
        return {}, [f"{name}: {line.removeprefix('not seen: ')}" for line in journal.missing]
    return past.days(), []


class _Past:
    """The folds of some units, and the newest rollback of each."""

    def __init__(self, units: Mapping[str, Mapping[str, Any]], reading: type[Reading], *, of_user: bool) -> None:
        self._units, self._of_user = units, of_user
        self._timeline = Timeline()
        self._reading = reading(self._timeline, os.getuid() if of_user else None)
        self._folds: dict[str, Fold] = {}
        self._last: dict[str, Entry] = {}
        self._begin = 0
        self._asked = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000  # the manager has answered just now

    def add(self, raw: Raw) -> None:
        """Take the next entry of any of them, or of the machine."""
        if not self._folds:
            self._start(raw.boot, raw.wall, raw.monotonic)
        entry = self._reading.entry(raw)
        for unit, fold in self._folds.items():
            count = len(fold.tally.events)
            fold.feed(entry)
            if len(fold.tally.events) > count and fold.tally.events[-1].kind in ROLLBACKS:
                self._last[unit] = entry

    def days(self) -> dict[str, Recent]:
        """Return the last day of each, now."""
        wall, monotonic = time.time_ns() // 1000, time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        if not self._folds:
            self._start(boot_id(), wall, monotonic)
        now = self._timeline.place(boot_id(), wall, monotonic)
        since = self._timeline.of_wall(wall - DAY)
        return {unit: self._day(fold, self._units[unit], since, now) for unit, fold in self._folds.items()}

    def _start(self, boot: str, wall: int, monotonic: int) -> None:
        self._begin = self._timeline.place(boot, wall, monotonic)
        self._folds = {unit: Fold(unit, self._begin, is_user=self._of_user) for unit in self._units}

    def _day(self, fold: Fold, facts: Mapping[str, Any], since: int, now: int) -> Recent:
        changed = facts.get("StateChangeTimestampMonotonic")
        at = self._timeline.of_monotonic(boot_id(), changed) if changed else None
        asked = self._timeline.of_monotonic(boot_id(), self._asked)
        shown = Shown(str(facts.get("ActiveState", "")), str(facts.get("InvocationID") or ""), at, asked)
        history = close(fold, self._begin, now, shown, self._timeline.sleeps)
        return recent(history, since, self._rollback(fold.unit, since))

    def _rollback(self, unit: str, since: int) -> Rollback | None:
        entry = self._last.get(unit)
        if entry is None or entry.at < since:
            return None
        return rollback(entry.fields, self._timeline.to_wall(entry.at) / 1e6, entry.number("HAFTA_ATTEMPT"))
