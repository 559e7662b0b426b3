"""Reading what comes of a drill: the journal, or the event log of the embedded overlord, by the reading of reports."""

from __future__ import annotations

import os
import time

from hafta.drill.rounds import Round, round_of
from hafta.errors import HaftaError
from hafta.frozen import Frozen
from hafta.observe import words
from hafta.observe.entry import Trust
from hafta.observe.fold import Fold
from hafta.observe.kinds import Kind
from hafta.observe.sources.eventlog import choose, nothing
from hafta.observe.sources.journal import Journal
from hafta.observe.sources.manager import boot_id
from hafta.observe.timeline import Timeline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.drill.managers import Embedded, Systemd
    from hafta.observe.entry import Entry
    from hafta.observe.sources.eventlog import EventLog

BEFORE = 5.0  # seconds before the drill that are read, too: the newest number of each process is there
STARTS = (Kind.STARTING, Kind.STARTED)


class Moment(Frozen):
    """A moment by both clocks, in microseconds."""

    wall: int
    monotonic: int


def now() -> Moment:
    """Return this moment."""
    return Moment(time.time_ns() // 1000, time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)


class Measure:
    """Reads the log of a unit again and again, from shortly before a drill on. Raises HaftaError if it cannot."""

    def __init__(self, unit: str, manager: Systemd | Embedded, environ: Mapping[str, str]) -> None:
        self._unit, self._environ = unit, environ
        self._is_embedded = manager.kind == words.EMBEDDED
        self._user = os.getuid() if manager.of_user else None
        self._boot = boot_id()
        self._since = now().wall - round(BEFORE * 1e6)
        self.missing: tuple[str, ...] = ()
        self._source()  # it says now what is missing

    def round(self, begin: Moment) -> Round:
        """Return what has come of a disturbance until now."""
        fold, entries, timeline = self._read(self._since)
        at = timeline.place(self._boot, begin.wall, begin.monotonic)
        return round_of(fold, entries, at, begin.wall / 1e6)

    def starts(self, seconds: float) -> tuple[list[int], int]:
        """Return when the unit was started in the last seconds, and now, as times that can be compared."""
        moment = now()
        since = moment.wall - round(min(seconds, 10 * 366 * 86400.0) * 1e6)
        _, entries, timeline = self._read(max(0, since))
        runs: dict[str, int] = {}
        for one in entries:
            if one.trust is Trust.MANAGER and one.kind in STARTS:
                runs.setdefault(one.run, one.at)
        return sorted(runs.values()), timeline.place(self._boot, moment.wall, moment.monotonic)

    def _read(self, since: int) -> tuple[Fold, list[Entry], Timeline]:
        source = self._source()
        timeline = Timeline()
        reading = source.reading(timeline, self._user)
        fold: Fold | None = None
        found = []
        for raw in source.read([self._unit], since=since):
            if fold is None:
                begin = timeline.place(raw.boot, raw.wall, raw.monotonic)
                fold = Fold(self._unit, begin, is_user=self._user is not None)
            entry = reading.entry(raw)
            fold.feed(entry)
            if entry.unit == self._unit and entry.trust in (Trust.MANAGER, Trust.SERVICE):
                found.append(entry)
        if fold is None:
            moment = now()
            fold = Fold(self._unit, timeline.place(self._boot, moment.wall, moment.monotonic))
        self.missing = tuple(dict.fromkeys((*self.missing, *source.missing)))
        return fold, found, timeline

    def _source(self) -> Journal | EventLog:
        """Return the log, opened now: so a rotation does not matter."""
        if not self._is_embedded:
            return Journal(user=self._user)
        if (log := choose("", self._environ)) is None:
            problem = nothing(self._environ)
            raise HaftaError(problem.message, problem.hint, status=problem.status)
        return log
