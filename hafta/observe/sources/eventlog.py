"""The event logs of embedded overlords, as the journal is read: the same questions, the same answers.

1. Each overlord that ran beside others has a directory (hafta/eventlog/place.py). Their entries are put together by
   their times; what one of them says of itself concerns only the units that it ran.
2. Before an overlord begins that found the one before dead comes the last sign of life of that one. At the end of the
   files of one that is dead comes the same, and that it is gone now.
3. What is damaged is an entry, too, with the time of the one before.
"""

from __future__ import annotations

import heapq
import json
import os
import time
from collections import deque

from hafta import boot, exits
from hafta.errors import HaftaError
from hafta.eventlog.format import (
    ALIVE,
    BOOT,
    DAMAGED,
    EVENTS,
    LAST,
    LOG,
    MONOTONIC,
    OUTPUT,
    OWN,
    REALTIME,
    TRANSPORT,
    decode,
)  # fmt: skip
from hafta.eventlog.lines import Row, entries
from hafta.eventlog.place import is_held, logs_in
from hafta.journal.overlord_events import OverlordStarted, OverlordStopped
from hafta.observe.embedded import OverlordReading, of_its_life
from hafta.observe.entry import Raw
from hafta.observe.kinds import events
from hafta.observe.sources import overlord
from hafta.observe.sources.manager import Said
from hafta.units.roots import CONTROL, roots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

DEBUG = "7"


def folders(environ: Mapping[str, str]) -> list[str]:
    """Return the event logs of the state directory that is given, else of all that this user's overlords use."""
    given = environ.get("HAFTA_STATE_DIR", "")
    states = [roots(environ, "", given).state]
    if os.geteuid() == 0 and not given:
        states += ["/var/lib", f"/var/lib/{CONTROL}"]
    return [folder for state in dict.fromkeys(states) for folder in logs_in(os.path.join(state, CONTROL, "events"))]


class EventLog:
    """Event logs: those of these directories. `is_here`: of overlords on this machine, which may live."""

    name = "the event log"
    reading = OverlordReading

    def __init__(self, paths: Sequence[str], *, is_here: bool = True) -> None:
        self.directory = "" if is_here else os.path.commonpath(paths)
        self.is_exact = False  # as of Journal; here, bytes that are not UTF-8 are always replaced
        #: What could not be seen, one line each.
        self.missing: list[str] = []
        #: The directories whose overlord was killed, and was not followed by another one.
        self.dead: set[str] = set()
        self._paths = paths
        self._logs: list[_Log] = []
        self._wanted = _Wanted((), everything=False, debug=False)

    def head(self) -> Raw | None:
        """Return the first entry of anybody; None: there is none."""
        found = [next((raw for raw in _Log(path).new(_all) if raw.boot), None) for path in self._paths]
        return min(filter(None, found), key=lambda raw: raw.wall, default=None)

    def tail(self) -> Raw | None:
        """Return the last entry of anybody, or sign of life."""
        found = [raw for path in self._paths for raw in (_alive(path), _newest(path)) if raw]
        return max(found, key=lambda raw: raw.wall, default=None)

    def units(self) -> list[str]:
        """Return the names of the services that overlords have run."""
        found = {raw.fields.get("UNIT", "") for path in self._paths for raw in _Log(path).new(_of_units)}
        return sorted(name for name in found if name.endswith(".service"))

    def has(self, unit: str) -> bool:
        """Tell whether there is an entry of a unit, or one that names it."""
        wanted = _Wanted((unit,), everything=True, debug=True)
        logs = [_Log(path, output=True) for path in self._paths]
        return any(unit in raw.fields.values() for log in logs for raw in log.new(wanted.line) if wanted.is_of(raw))

    def read(
        self,
        units: Sequence[str],
        *,
        everything: bool = False,
        debug: bool = False,
        since: int | None = None,
        newest: int | None = None,
    ) -> Iterator[Raw]:
        """Yield the entries of these units and of the overlords, in their order: as Journal.read()."""
        self._wanted = _Wanted(units, everything=everything, debug=debug)
        self._logs = [_Log(path, since or 0, output=everything, is_here=not self.directory) for path in self._paths]
        streams = [log.read(self._wanted.line) for log in self._logs]
        merged = streams[0] if len(streams) == 1 else (each.raw for each in heapq.merge(*map(_placed, streams)))
        found = (raw for raw in merged if self._wanted.is_of(raw) and raw.wall >= (since or 0))
        yield from found if newest is None else deque(found, newest)
        self.dead = {log.name for log in self._logs if log.is_dead}
        for log in self._logs:
            self.missing += [line for line in log.missing() if line not in self.missing]

    def follow(self) -> Iterator[Raw | None]:
        """Yield what comes after what was read, and None whenever there is nothing."""
        while True:
            for log in self._logs:
                for raw in log.new(self._wanted.line):
                    if self._wanted.is_of(raw):
                        yield raw
            yield None


def _all(_line: bytes) -> bool:
    return True


def _of_units(line: bytes) -> bool:
    return b'"UNIT":' in line and b'"driver"' in line


class _Wanted:
    """Which entries are asked for. Lines are looked at before they are decoded: that takes most of the time."""

    def __init__(self, units: Sequence[str], *, everything: bool, debug: bool) -> None:
        self._units = frozenset(units)
        self._everything, self._debug = everything, debug
        life = (json.dumps(number).encode() for number in of_its_life())
        self._words = [*(json.dumps(unit).encode() for unit in units), *life]
        self._ours = {number for number, event in events().items() if event.NAME != "said"}

    def line(self, line: bytes) -> bool:
        """Tell whether a line may be an entry that is asked for."""
        return any(word in line for word in self._words) or b'"_SYSTEMD_UNIT":' not in line

    def is_of(self, raw: Raw) -> bool:
        """Tell whether an entry is asked for."""
        fields = raw.fields
        if fields.get(TRANSPORT) == OWN:
            return raw.is_last or fields.get("UNIT") in self._units or fields.get("MESSAGE_ID") in of_its_life()
        home, is_ours = fields.get("_SYSTEMD_UNIT", ""), fields.get("MESSAGE_ID") in self._ours
        if not self._everything:
            return is_ours and (home in self._units or not home)
        named = home in self._units and (self._debug or fields.get("PRIORITY") != DEBUG)
        return named or fields.get("UNIT") in self._units or (is_ours and not home)


class _Placed:
    """An entry among those of several directories: by the monotonic clock in a boot, else by the wall clock."""

    __slots__ = ("raw",)

    def __init__(self, raw: Raw) -> None:
        self.raw = raw

    def __lt__(self, other: _Placed) -> bool:
        one, two = self.raw, other.raw
        return one.monotonic < two.monotonic if one.boot == two.boot else one.wall < two.wall


def _placed(raws: Iterator[Raw]) -> Iterator[_Placed]:
    return map(_Placed, raws)


class _Log:
    """One directory."""

    def __init__(self, path: str, since: int = 0, *, output: bool = False, is_here: bool = False) -> None:
        self._path = path
        self.name = os.path.abspath(path)
        self.is_dead = False
        self._is_here = is_here
        self._rows = [_Reader(path, row, since, self.name) for row in ((EVENTS, OUTPUT) if output else (EVENTS,))]

    def read(self, wants: Callable[[bytes], bool]) -> Iterator[Raw]:
        """Yield what there is, and at the end what became of the overlord (rule 2)."""
        yield from self.new(wants)
        for row in self._rows:
            if row.source.is_torn and not self._is_held() and row.newest:
                yield row.damage()
        newest = self._rows[0].newest
        if newest and not self._rows[0].has_stopped and self._is_here and not self._is_held():
            self.is_dead = True
            yield from self._gone(newest)

    def new(self, wants: Callable[[bytes], bool]) -> Iterator[Raw]:
        """Yield what has come since the last time."""
        streams = [row.new(wants) for row in self._rows]
        if len(streams) == 1:
            yield from streams[0]
        else:
            yield from (each.raw for each in heapq.merge(*map(_placed, streams)))

    def missing(self) -> list[str]:
        """Return what could not be seen."""
        return [f"not seen: {path}: {why}" for row in self._rows for path, why in row.source.missing.items()]

    def _is_held(self) -> bool:
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return is_held(fd)
        finally:
            os.close(fd)

    def _gone(self, newest: Raw) -> Iterator[Raw]:
        last = _alive(self._path)
        is_later = last is not None and last.boot == newest.boot and last.monotonic > newest.monotonic
        yield _sign(last if last and is_later else newest, self.name)
        now, since_boot = time.time_ns() // 1000, time.monotonic_ns() // 1000
        fields = {TRANSPORT: OWN, LOG: self.name, "MESSAGE_ID": OverlordStarted.MESSAGE_ID, "HAFTA_EVENT": "gone"}
        fields["MESSAGE"] = "The overlord was killed, and runs no longer"
        yield Raw(fields, now, since_boot, boot.boot_id().replace("-", ""))


class _Reader:
    """A row of files of a directory, as entries."""

    def __init__(self, path: str, row: str, since: int, name: str) -> None:
        self.source = Row(path, row, since)
        self.newest: Raw | None = None
        self.has_stopped = True  # whether no overlord lives there, as far as the entries say
        self._row = row
        self._name = name
        self._owed = False  # damage before the first entry, whose time is not known yet

    def new(self, wants: Callable[[bytes], bool]) -> Iterator[Raw]:
        """Yield what has come since the last time."""
        for fields in entries(self.source, wants):
            if fields is None and self.newest is None:
                self._owed = True
            elif fields is None:
                yield self.damage()
            else:
                yield from self._take(fields)

    def damage(self) -> Raw:
        """Return what stands for damage behind the newest entry."""
        assert self.newest is not None
        fields = {TRANSPORT: OWN, LOG: self._name, "MESSAGE_ID": DAMAGED, "MESSAGE": "", "HAFTA_ROW": self._row}
        return self.newest.replace(fields=fields)

    def _take(self, fields: dict[str, str]) -> Iterator[Raw]:
        if fields.get(TRANSPORT) == OWN:
            fields[LOG] = self._name
        raw = _raw(fields)
        before, self.newest = self.newest, raw
        if self._owed:
            self._owed = False
            yield self.damage()
        number = fields.get("MESSAGE_ID")
        if number == OverlordStarted.MESSAGE_ID and fields.get(TRANSPORT) == OWN and before and not self.has_stopped:
            last = decode(fields.get(LAST, "").encode())
            sign = _raw(last) if last else before
            yield _sign(sign if sign.boot == before.boot and sign.monotonic > before.monotonic else before, self._name)
        if "HAFTA_EVENT_LOG" not in fields:  # the head of a file says nothing of that
            self.has_stopped = number == OverlordStopped.MESSAGE_ID
        yield raw


def _raw(fields: Mapping[str, str]) -> Raw:
    return Raw(fields, int(fields[REALTIME]), int(fields[MONOTONIC]), fields[BOOT])


def _sign(raw: Raw, name: str) -> Raw:
    return raw.replace(fields={TRANSPORT: OWN, LOG: name}, is_last=True)


def _alive(path: str) -> Raw | None:
    try:
        fd = os.open(os.path.join(path, ALIVE), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fields = decode(os.read(fd, 4096))
    except OSError:
        return None
    finally:
        os.close(fd)
    return _raw(fields) if fields else None


def _newest(path: str) -> Raw | None:
    log = _Log(path, output=True)
    found = None
    for raw in log.new(_all):
        found = raw
    return found


def how_units_stand(environ: Mapping[str, str]) -> tuple[dict[str, Said], list[str]]:
    """Return how each unit of the overlords that run stands now, and what could not be seen."""
    answers, missing = overlord.ask(environ)
    return {
        str(one.get("Id", "")): Said(
            str(one.get("ActiveState", "")),
            str(one.get("InvocationID") or ""),
            int(one.get("StateChangeTimestampMonotonic") or 0),
            one.get("LoadState") != "not-found",
        )
        for one in answers
    }, [f"not seen: {line}" for line in missing]


def choose(directory: str, environ: Mapping[str, str]) -> EventLog | None:
    """Return the event log of a directory, or that of this machine; None: there is none."""
    paths = logs_in(directory) if directory else folders(environ)
    return EventLog(paths, is_here=not directory) if paths else None


def nothing(environ: Mapping[str, str]) -> HaftaError:
    """Return the error for where an event log was asked for, and there is none."""
    place = os.path.join(roots(environ, "", environ.get("HAFTA_STATE_DIR", "")).state, CONTROL, "events")
    hint = "hafta run keeps one there, or below its --state-dir: name that with --directory"
    return HaftaError(f"there is no event log of an embedded overlord in {place}", hint, status=exits.PERMISSION)
