"""The journal, by systemd's own reader. The only file that imports python-systemd.

What is known of that reader, and why this file is as it is:

1. Entries are read by matches: a damaged page then hides what stands in it, and not all that follows.
2. Damage is silent in a directory: a file that is cut is left out whole. So each file is opened alone once.
3. Without the right to read, it opens and is empty.
4. A file that is vacuumed under the reader raises EBADMSG for ever: it is opened again at the last cursor.
5. To follow, `fileno()` is called once at the beginning, and then `process()` and `_next()` each POLL: without the
   first call a rotation is missed, and `wait()` is late by a quarter of a second.
6. A reader keeps mapped what it has read: of a long journal all. So it is replaced by a new one each RENEWED entries.
7. After `seek_tail()` one `_previous()`: without it some releases show old entries, others no new ones.
"""

from __future__ import annotations

import os
from errno import EACCES, EPERM

from hafta import exits
from hafta.errors import HaftaError
from hafta.observe.entry import Raw, Reading
from hafta.observe.kinds import OF_LOGIND, OF_SLEEP, OF_THE_JOURNAL, OF_UNITS, Kind, events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

POLL = 0.1  # seconds between two looks for new entries
DEBUG = 7  # the priority of syslog
RENEWED = 10_000  # entries
TRIES = 3  # to go on behind what cannot be read
PLACES = ("/var/log/journal", "/run/log/journal")
ALLOWED = "root and the group systemd-journal can: usermod --append --groups systemd-journal NAME"
_STARTED = next(number for number, kind in OF_THE_JOURNAL.items() if kind is Kind.JOURNAL_STARTED)
_STOPPED = next(number for number, kind in OF_THE_JOURNAL.items() if kind is Kind.JOURNAL_STOPPED)
_IDS = {kind: number for number, kind in OF_UNITS.items()}


class Journal:
    """The journal of this machine, or that of a directory. `user`: the id of a user, for the units of that user.

    Raises HaftaError if nothing of it can be seen.
    """

    name = "the journal"
    reading = Reading

    def __init__(self, directory: str = "", user: int | None = None) -> None:
        self.directory = directory
        self._user = user
        #: What could not be seen, and who can: one line each.
        self.missing: list[str] = []
        #: Whether bytes that are not UTF-8 come back as they are when they are encoded (surrogateescape).
        self.is_exact = False
        self._plan: list[list[str]] = []  # what is matched: any of these groups
        self._cursor = ""  # of the last entry that was read
        self._reader = self._open()
        self._check()

    def head(self) -> Raw | None:
        """Return the first entry of anybody; None: there is none."""
        self._reader.flush_matches()
        self._reader.seek_head()
        return self._raw() if self._step() else None

    def tail(self) -> Raw | None:
        """Return the last entry of anybody. It leaves reading where it is."""
        reader = self._open()
        try:
            reader.seek_tail()
            return self._raw(reader) if reader._previous() else None  # noqa: SLF001 - python-systemd's own names
        finally:
            reader.close()

    def is_there(self, cursor: str) -> bool:
        """Tell whether the journal still has the entry of this cursor. It leaves reading where it is."""
        reader = self._open()
        try:
            reader.seek_cursor(cursor)
            return bool(reader._next()) and bool(reader.test_cursor(cursor))  # noqa: SLF001
        except OSError:
            return False
        finally:
            reader.close()

    def units(self, after: str = "") -> list[str]:
        """Return the names of the units that have reported events of HAFTA; `after`: since the entry of this cursor."""
        self._begin()
        self._match_ours(self._home)
        if after:
            self._reader.seek_cursor(after)
        else:
            self._reader.seek_head()
        field = "_SYSTEMD_UNIT" if self._user is None else "_SYSTEMD_USER_UNIT"
        found = {self._field(field) for _ in self._steps()}
        return sorted(name for name in found if name.endswith(".service") and not name.startswith("user@"))

    def has(self, unit: str) -> bool:
        """Tell whether there is any entry of a unit, or one that names it. It leaves reading where it is."""
        reader = self._open()
        try:
            for name in self._names():
                for field, value in {name: unit, **self._home}.items():
                    reader.add_match(f"{field}={value}")
                reader.add_disjunction()
            reader.seek_tail()
            return bool(reader._previous())  # noqa: SLF001
        except OSError:
            return True  # it cannot be told: what is read says more
        finally:
            reader.close()

    def read(
        self,
        units: Sequence[str],
        *,
        everything: bool = False,
        debug: bool = False,
        since: int | None = None,
        newest: int | None = None,
        after: str = "",
    ) -> Iterator[Raw]:
        """Yield the entries of these units and of the machine, in their order.

        `everything`: also what the units print, and what others claim of them. `debug`: of that, also what has the
        priority debug. `since`: only those from this wall clock
        time on, in microseconds. `newest`: only the last entries, this many at most. `after`: only
        what stands behind the entry of this cursor, which must be there.
        Before the journal begins without having stopped comes the last entry of anybody.
        """
        self._begin()
        self._match_units(units, everything=everything, debug=debug)
        self._match_ours()
        self._match_machine()
        is_new = False
        if newest is not None:
            self._reader.seek_tail()
            is_new = bool(self._reader._previous(newest))  # noqa: SLF001
        elif after:
            is_new = self._seek_behind(after)
        elif since is not None:
            self._reader.seek_realtime(max(since, 0))
        else:
            self._reader.seek_head()
        has_stopped = False
        for _ in self._steps(is_new=is_new):
            raw = self._raw()
            number = raw.fields.get("MESSAGE_ID")
            if number == _STARTED and not has_stopped and (last := self._before(raw.cursor)):
                yield last
            has_stopped = number == _STOPPED or (has_stopped and number != _STARTED)
            yield raw

    def _seek_behind(self, cursor: str) -> bool:
        """Go to the entry of a cursor; tell whether that one is not matched, so that the reader stands at a new one."""
        self._reader.seek_cursor(cursor)
        self._cursor = cursor
        return self._step() and not self._reader.test_cursor(cursor)

    def follow(self) -> Iterator[Raw | None]:
        """Yield what comes after what was read, and None whenever there is nothing: then wait for POLL seconds."""
        self._reader.fileno()
        while True:
            self._reader.process()
            for _ in self._steps(renews=False):
                yield self._raw()
            yield None

    def _match_units(self, units: Sequence[str], *, everything: bool, debug: bool) -> None:
        manager = {"_PID": "1"} if self._user is None else {"_SYSTEMD_USER_UNIT": "init.scope"}
        named, own = self._names()
        self._add({named: units}, self._home if everything else {**self._home, **manager})
        if everything:
            self._add({own: units} if debug else {own: units, "PRIORITY": map(str, range(DEBUG))}, self._home)

    @property
    def _home(self) -> dict[str, str]:
        """What all entries of a user's units have: other users may have units of the same names."""
        return {} if self._user is None else {"_SYSTEMD_UNIT": f"user@{self._user}.service"}

    def _names(self) -> tuple[str, str]:
        """Return the fields in which a manager names a unit, and journald that of the sender."""
        return ("UNIT", "_SYSTEMD_UNIT") if self._user is None else ("USER_UNIT", "_SYSTEMD_USER_UNIT")

    def _match_machine(self) -> None:
        self._add({"MESSAGE_ID": [*OF_THE_JOURNAL, *OF_LOGIND, *OF_SLEEP]})
        self._add({"_PID": ["1"], "UNIT": ["multi-user.target"], "MESSAGE_ID": [_IDS[Kind.STOPPED]]})
        self._add({"_PID": ["1"], "UNIT": ["shutdown.target"], "MESSAGE_ID": [_IDS[Kind.STARTED]]})
        self._add({"_PID": ["1"], "UNIT": ["systemd-journald.service"], "MESSAGE_ID": [_IDS[Kind.EXITED]]})

    def _match_ours(self, home: dict[str, str] | None = None) -> None:
        """Match our own events but lines, of any unit: of some that died journald cannot say whose they are."""
        self._add({"MESSAGE_ID": [number for number, event in events().items() if event.NAME != "said"]}, home)

    def _add(self, group: dict[str, Iterable[str]], home: dict[str, str] | None = None) -> None:
        group = {**group, **{name: (value,) for name, value in (home or {}).items()}}
        self._plan.append([f"{name}={value}" for name, values in group.items() for value in values])
        self._apply(self._plan[-1])

    def _apply(self, group: list[str], reader: Any = None) -> None:
        reader = reader or self._reader
        reader.add_disjunction()
        for match in group:
            reader.add_match(match)

    def _begin(self) -> None:
        self._reader.flush_matches()
        self._plan.clear()

    def _steps(self, *, is_new: bool = False, renews: bool = True) -> Iterator[None]:
        """Step through what matches; where that cannot be read, open it again at the last entry that could be.

        `is_new`: the reader stands at an entry that has not been read. `renews`: rule 6; not while it is followed.
        """
        tries = count = 0
        while True:
            try:
                while is_new or self._step():
                    tries, is_new = 0, False
                    self._cursor = self._reader._get_cursor()  # noqa: SLF001
                    count += 1
                    if renews and count % RENEWED == 0:
                        self._renew()
                    yield
            except OSError as error:
                tries += 1
                if tries > TRIES:
                    self._miss(f"not seen: the rest of the journal: {error.strerror}; see journalctl --verify")
                    return
                is_new = self._reopen()
            else:
                return

    def _step(self) -> bool:
        return bool(self._reader._next())  # noqa: SLF001

    def _reopen(self) -> bool:
        """Open it again at the last entry; tell whether that has gone, so that the reader stands at a new one."""
        self._reader.close()
        self._reader = self._open()
        for group in self._plan:
            self._apply(group)
        try:
            if not self._cursor:
                self._reader.seek_head()
                return False
            self._reader.seek_cursor(self._cursor)
            return self._step() and not self._reader.test_cursor(self._cursor)
        except OSError:
            return False

    def _renew(self) -> None:
        """Read on with a new reader, if that finds the same entry: the old one gives back what it has mapped."""
        reader = self._open()
        try:
            for group in self._plan:
                self._apply(group, reader)
            reader.seek_cursor(self._cursor)
            is_same = bool(reader._next()) and bool(reader.test_cursor(self._cursor))  # noqa: SLF001
        except OSError:
            is_same = False
        if is_same:
            reader, self._reader = self._reader, reader
        reader.close()

    def _before(self, cursor: str) -> Raw | None:
        """Return the entry of anybody before this one."""
        reader = self._open()
        try:
            reader.seek_cursor(cursor)
            if not reader._next() or not reader._previous():  # noqa: SLF001
                return None
            return self._raw(reader).replace(is_last=True)
        except OSError:
            return None
        finally:
            reader.close()

    def _field(self, name: str) -> str:
        try:
            return _text(self._reader._get(name))  # noqa: SLF001
        except (KeyError, OSError):
            return ""

    def _raw(self, reader: Any = None) -> Raw:
        reader = reader or self._reader
        got, errors = reader._get_all(), "surrogateescape" if self.is_exact else "replace"  # noqa: SLF001
        fields = {name: _text(value, errors) for name, value in got.items()}
        more = tuple(
            (name, _text(one, errors)) for name, values in got.items() if isinstance(values, list) for one in values[1:]
        )
        monotonic, boot = reader._get_monotonic()  # noqa: SLF001
        return Raw(fields, reader._get_realtime(), monotonic, bytes(boot).hex(), reader._get_cursor(), more)  # noqa: SLF001

    def _open(self) -> Any:
        try:
            from systemd import _reader
        except ImportError as error:
            hint = "install it: apt install python3-systemd"
            raise HaftaError(
                f"the journal cannot be read without python-systemd: {error}", hint, status=exits.PERMISSION
            ) from error
        try:
            if not self.directory:
                return _reader._Reader()  # noqa: SLF001
            if os.path.isfile(self.directory):
                return _reader._Reader(flags=0, files=[self.directory])  # noqa: SLF001
            return _reader._Reader(flags=0, path=self.directory)  # noqa: SLF001
        except OSError as error:
            status = exits.PERMISSION if error.errno in {EACCES, EPERM} else exits.NOT_FOUND
            hint = "name a directory with .journal files"
            raise HaftaError(
                f"cannot read the journal {self.directory}: {error.strerror}", hint, status=status
            ) from error

    def _check(self) -> None:
        """Find out what cannot be seen. Raises HaftaError if that is all."""
        files = [*_files((self.directory,) if self.directory else PLACES)]
        for path in files:
            self._check_file(path)
        if self.directory:
            if not files and os.path.isdir(self.directory):
                hint = "name a directory with .journal files"
                raise HaftaError(f"there is no journal in {self.directory}", hint, status=exits.NOT_FOUND)
            return
        if not self._reader.has_persistent_files() and not self._reader.has_runtime_files():
            denied = bool(files) or any(map(_is_closed, PLACES))
            what = "no right to read the journal" if denied else "this machine has no journal"
            hint = ALLOWED if denied else "name one with --directory, or start systemd-journald"
            raise HaftaError(what, hint, status=exits.PERMISSION)

    def _check_file(self, path: str) -> None:
        from systemd import _reader

        if not os.access(path, os.R_OK):
            if os.path.basename(path).startswith("system"):
                self._miss(f"not seen: the journal of the system; {ALLOWED}")
            return
        try:
            _reader._Reader(flags=0, files=[path]).close()  # noqa: SLF001
        except OSError as error:
            self._miss(f"not seen: {path}: {error.strerror}; journalctl --verify says more")

    def _miss(self, line: str) -> None:
        if line not in self.missing:
            self.missing.append(line)


def explanation(number: str) -> str:
    """Return what the journal's catalog says of a MESSAGE_ID; empty: nothing, or it is not one."""
    try:
        from systemd import _reader
    except ImportError as error:
        hint = "install it: apt install python3-systemd"
        problem = f"the catalog cannot be read without python-systemd: {error}"
        raise HaftaError(problem, hint, status=exits.PERMISSION) from error
    try:
        return _text(_reader._get_catalog(number))  # noqa: SLF001
    except (OSError, ValueError):
        return ""


def _files(places: Iterable[str]) -> Iterator[str]:
    for place in places:
        if os.path.isfile(place):
            yield place
        for directory, _, names in os.walk(place):
            journals = (name for name in sorted(names) if name.endswith((".journal", ".journal~")))
            yield from (os.path.join(directory, name) for name in journals)


def _is_closed(place: str) -> bool:
    """Tell whether there are journals in a directory that may not be looked at."""
    try:
        return any(entry.is_dir() and not os.access(entry.path, os.R_OK | os.X_OK) for entry in os.scandir(place))
    except PermissionError:
        return True
    except OSError:
        return False


def _text(value: object, errors: str = "replace") -> str:
    if isinstance(value, list):
        value = value[0]
    return value.decode(errors=errors) if isinstance(value, bytes) else str(value)
