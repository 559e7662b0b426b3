"""What `hafta report` and `hafta log` share: which units, which journal, and the history that is in it."""

from __future__ import annotations

import os
import time

import click

from hafta import exits
from hafta.cli.options import words
from hafta.cli.table import shown
from hafta.cli.times import moment
from hafta.errors import HaftaError, UsageError
from hafta.frozen import Frozen
from hafta.observe.closing import History, close
from hafta.observe.entry import Trust
from hafta.observe.fold import Fold
from hafta.observe.shown import Shown
from hafta.observe.sources import manager
from hafta.observe.sources.eventlog import EventLog, choose, how_units_stand, nothing
from hafta.observe.sources.journal import Journal
from hafta.observe.sources.systemd import BOOTED, full_name
from hafta.observe.timeline import Timeline
from hafta.settings import Setting, parse, path, switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hafta.observe.entry import Entry, Raw
    from hafta.observe.sources.manager import Said
    from hafta.settings import Program, Values

DIRECTORY = Setting(
    "directory", lambda text: os.path.abspath(path(text)), "", "read this journal or event log, a directory or a file",
    "PATH",
    shown_default="that of this machine", environment="",
)  # fmt: skip
OVERLORD = Setting(
    "overlord",
    switch,
    default=False,
    help="read the event log of hafta run, also where there is a journal",
    environment="",
)
USER = Setting("user", switch, default=False, help="units of this user, not of the system", environment="")


def since(default: str, help: str) -> Setting:  # noqa: A002 - what it is
    """Return the option --since."""
    usual = moment(default) if default else None
    return Setting("since", moment, usual, help, "TIME", shown_default=default, environment="")


UNTIL = Setting("until", moment, moment("now"), "the end of it", "TIME", shown_default="now", environment="")


def read(program: Program, given: dict[str, Any]) -> Values:
    """Return the values of what click has parsed."""
    return parse(program, words(program, given), os.environ)[0]


class Now(Frozen):
    """The moment at which the journal is looked at. Times in microseconds."""

    wall: int
    monotonic: int
    boot: str


class Past:
    """The journal of some units, and what it says. Raises HaftaError if nothing can be seen, or a unit is unknown."""

    def __init__(self, names: Sequence[str], values: Values) -> None:
        self.user = os.getuid() if values.user else None
        named = list(dict.fromkeys(unit_of(name) for name in names))
        self.journal = _source(named, values)
        self.units = named or self.journal.units()
        self.joined: list[str] = []  # of these, the units that are only shown with the others
        self._runs: dict[str, str] = {}  # their units, as the manager says
        self._head = self.journal.head()
        self.begin = self._begin()
        self.end = self.begin  # of the histories, once they are read

    def join(self, names: Sequence[str]) -> None:
        """Look at more units, which are only shown with the others. Raises UsageError."""
        self.joined = [unit for unit in dict.fromkeys(map(unit_of, names)) if unit not in self.units]
        self.units += self.joined

    def _begin(self) -> int:
        """Begin to read: with new times, for a sleep must not count twice. Return when the journal begins."""
        self.timeline = Timeline()
        self.reading = self.journal.reading(self.timeline, self.user)
        head = self._head
        return self.timeline.place(head.boot, head.wall, head.monotonic) if head else 0

    def entries(self, **how: Any) -> list[Entry]:
        """Return entries: all, or those that Journal.read() is asked for."""
        self._begin()
        return [self.entry(raw) for raw in self.journal.read(self.units, **how)]

    def entry(self, raw: Raw) -> Entry:
        """Return the entry. One of a process that had died is that of the unit whose run it names, if systemd has."""
        entry = self.reading.entry(raw)
        if entry.trust is Trust.MANAGER and entry.run:
            self._runs[entry.run] = entry.unit
        elif entry.trust is Trust.LATE and entry.run in self._runs:
            return entry.replace(unit=self._runs[entry.run])
        return entry

    def histories(self) -> list[History]:
        """Return the history of each unit."""
        asked = _now()
        said = self._ask()
        folds = {unit: Fold(unit, self.begin, is_user=self.user is not None) for unit in self.units}
        seen: set[str] = set()
        self._begin()
        if folds:
            for raw in self.journal.read(self.units):
                entry = self.reading.entry(raw)
                seen.add(entry.unit)
                for fold in folds.values():
                    fold.feed(entry)
        now = self.end = self.now()
        if said is None and self.units and not self.journal.directory:
            self.journal.missing.append("not seen: how units stand now: systemctl does not answer")
        for unit in self.units:
            if unit not in seen and (said is None or unit not in said or not said[unit].is_loaded):
                where = self.journal.name
                hint = f"name a unit that {where} knows; without a name: those that report events of HAFTA"
                raise HaftaError(f"there is no unit {unit}, now or in {where}", hint, status=exits.NOT_FOUND)
        return [self._close(fold, now, said, asked) for fold in folds.values()]

    def _ask(self) -> dict[str, Said] | None:
        """Return how units stand now; None: nobody can be asked, or nobody answers."""
        if self.journal.directory:
            return None
        if not isinstance(self.journal, EventLog):
            return manager.ask(self.units, user=self.user is not None)
        found, missing = how_units_stand(os.environ)
        self.journal.missing += missing
        return found

    def now(self) -> int:
        """Return the time now; of a journal elsewhere, that of its last entry.

        Call it when all is read: a boot that is read after the present one would come after now.
        """
        found = self._last()
        return self.timeline.place(found.boot, found.wall, found.monotonic) if found else self.begin

    def moments(self, *asked: object) -> list[int]:
        """Return times for the moments that were asked for, once all is read."""
        return [self.timeline.of_wall(wall) for wall in self.walls(*asked)]

    def walls(self, *asked: object) -> list[int]:
        """Return the moments that were asked for by the wall clock, in microseconds since 1970."""
        last = self._last()
        now, boot = (last.wall / 1e6, (last.wall - last.monotonic) / 1e6) if last else (0.0, 0.0)
        return [round(one(now, boot) * 1e6) for one in asked if callable(one)]

    def wall(self, at: int) -> float:
        """Return a time as seconds since 1970, by the clock as it stands now."""
        return self.timeline.to_wall(at) / 1e6

    def complain(self) -> None:
        """Say on stderr what could not be seen, a line each."""
        for line in self.journal.missing:
            click.echo(f"hafta: {shown(line)}", err=True)

    def _last(self) -> Raw | Now | None:
        return self.journal.tail() if self.journal.directory else _now()

    def _close(self, fold: Fold, now: int, said: dict[str, Said] | None, asked: Now) -> History:
        shown = None
        if said is not None and (one := said.get(fold.unit)):
            at = self.timeline.of_monotonic(asked.boot, one.since) if one.since else None
            shown = Shown(one.active, one.run, at, self.timeline.of_monotonic(asked.boot, asked.monotonic))
        elif isinstance(self.journal, EventLog) and fold.machine.log in self.journal.dead:
            shown = Shown("inactive")
        return close(fold, self.begin, now, shown, self.timeline.sleeps)


def _source(units: Sequence[str], values: Values) -> Journal | EventLog:
    """Return where the history of units is. docs/operating.md says which: the journal or an event log.

    Raises HaftaError if nothing can be seen.
    """
    user = os.getuid() if values.user else None
    wants_log = getattr(values, "overlord", False)  # not every command has the option
    log = None if values.user else choose(values.directory, os.environ)
    if log is None and wants_log:
        raise nothing(os.environ)
    if log is None:
        return Journal(values.directory, user)
    if wants_log or values.directory or not os.path.isdir(BOOTED):
        return log
    try:
        journal = Journal()
    except HaftaError:
        return log
    is_of_log = bool(units) and not all(map(journal.has, units)) and all(map(log.has, units))
    return log if is_of_log else journal


def _now() -> Now:
    return Now(
        time.time_ns() // 1000, time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000, manager.boot_id(),
    )  # fmt: skip


def unit_of(name: str) -> str:
    """Return the name of a unit; `.service` may be left out. Raises UsageError."""
    if not name or "/" in name or not name.isprintable() or len(name) > 255:
        raise UsageError(f"{name!r} is not the name of a unit", "name one as systemctl does: hafta-client.service")
    return full_name(name)
