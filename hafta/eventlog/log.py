"""One event log that is being written: both rows, what was dropped, and the sign of life.

Rules:

1. Entries of the overlord itself, and events of services, are in the row `events`; lines in the row `output`.
2. A unit that writes more than MOST entries in SPAN seconds loses the rest of that time, as with journald. It is
   counted, and its next entry after that brings the count along. So is an entry that is too long for a reader. The
   overlord's own entries have no limit.
3. What cannot be written is counted. The first loss is noted for people, once; when it works again, an entry says how
   many are missing: the reader then knows nothing of that time.
4. The sign of life is renewed when the overlord is awake anyway, at most each FRESH seconds: it says until when all
   that happened is in the log. It never wakes the overlord up.
"""

from __future__ import annotations

import os
import time

from hafta import boot
from hafta.eventlog.format import (
    ALIVE,
    BOOT,
    EVENTS,
    LINE_MAX,
    MONOTONIC,
    OUTPUT,
    OWN,
    REALTIME,
    TRANSPORT,
    decode,
    encode,
)
from hafta.eventlog.series import Series
from hafta.journal.entry import entry
from hafta.journal.events import EventsDropped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from hafta.eventlog.place import Place
    from hafta.journal.event import Event

MOST, SPAN = 10_000, 30.0  # entries of one unit, and seconds: journald's own rate limit
UNITS = 4096  # units whose limits are remembered
FRESH = 10.0  # seconds
SUPPRESSED = "a596d6fe7bfa4994828e72309e95d61e"  # systemd/sd-messages.h: SD_MESSAGE_JOURNAL_DROPPED
OVERLORD = "overlord"
ALIVE_SIZE = 256  # bytes


class Log:
    """An event log in its place. `note` says something to people."""

    def __init__(self, place: Place, note: Callable[[str], None]) -> None:
        self._place = place
        self._note = note
        self._boot = boot.boot_id().replace("-", "")
        self._rows = {row: Series(place.fd, row, self._stamp) for row in (EVENTS, OUTPUT)}
        self._number = 0
        self._dropped = 0
        self._quotas: dict[str, _Quota] = {}
        self._life = _Life(place.fd)
        self._who = {TRANSPORT: OWN, "_PID": str(os.getpid()), "_UID": str(os.geteuid()), "_GID": str(os.getegid())}

    def report(self, event: Event, more: Mapping[str, str]) -> None:
        """Write an event of the overlord itself, with more fields."""
        self._number += 1
        fields = {**entry(event, self._number, 1, OVERLORD), **more}
        self._write(EVENTS, fields, self._who)

    def take(self, row: str, unit: str, fields: Mapping[str, Any], trusted: Mapping[str, str]) -> None:
        """Write what a service has said. `trusted`: what is known of the sender; `unit` is empty if it is unknown."""
        if len(self._quotas) > UNITS:
            self._quotas = {name: quota for name, quota in self._quotas.items() if quota.lost}
        quota = self._quotas.setdefault(unit, _Quota())
        if not quota.admits(time.monotonic()):
            return
        if lost := quota.taken():
            text = f"Suppressed {lost} messages from {unit or 'unknown processes'}"
            told = {"MESSAGE_ID": SUPPRESSED, "N_DROPPED": str(lost), "OBJECT_SYSTEMD_UNIT": unit, "MESSAGE": text}
            self._write(EVENTS, {**told, "PRIORITY": "6", "SYSLOG_IDENTIFIER": OVERLORD}, self._who)
        if not self._write(row, fields, trusted):
            quota.lost += 1

    @property
    def before(self) -> str:
        """The last sign of life of the overlord that had this place before, as a line; empty: there is none."""
        return self._life.before

    def live(self) -> None:
        """Renew the sign of life, if it is time to."""
        if not self._dropped and self._life.is_due():
            self._life.show(self._stamp())

    def close(self) -> None:
        """Have all on the disk, and let go."""
        if not self._dropped:
            self._life.show(self._stamp())
        for row in self._rows.values():
            row.close()
        self._life.close()
        self._place.close()

    def _write(self, row: str, fields: Mapping[str, Any], trusted: Mapping[str, str]) -> bool:
        """Write an entry; False if it is too long."""
        stamp = self._stamp()
        line = encode({**stamp, **trusted, **fields})
        if len(line) > LINE_MAX:
            return False
        series = self._rows[row]
        if series.write(line, int(stamp[REALTIME])):
            if self._dropped:
                self._tell_dropped()
            return True
        self._dropped += 1
        if self._dropped == 1 and series.error:
            self._note(f"the event log in {self._place.path} cannot be written: {series.error.strerror}")
        return True

    def _tell_dropped(self) -> None:
        """Say how many are missing (rule 3)."""
        count, self._number, stamp = self._dropped, self._number + 1, self._stamp()
        line = encode({**stamp, **self._who, **entry(EventsDropped(count), self._number, 1, OVERLORD)})
        if self._rows[EVENTS].write(line, int(stamp[REALTIME])):
            self._dropped = 0
            self._note(f"the event log is written again; {count} entries are missing in it")

    def _stamp(self) -> dict[str, str]:
        return {REALTIME: str(time.time_ns() // 1000), MONOTONIC: str(time.monotonic_ns() // 1000), BOOT: self._boot}


class _Life:
    """The sign of life (rule 4), in the directory with this descriptor."""

    def __init__(self, folder: int) -> None:
        self.before = _last_sign(folder)
        self._folder = folder
        self._fd = -1
        self._fresh = float("-inf")  # when it was renewed

    def is_due(self) -> bool:
        """Tell whether it is old; then it counts as renewed."""
        now = time.monotonic()
        if 0 <= now - self._fresh < FRESH:
            return False
        self._fresh = now
        return True

    def show(self, stamp: Mapping[str, str]) -> None:
        """Renew it."""
        try:
            if self._fd < 0:
                flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                self._fd = os.open(ALIVE, flags, 0o600, dir_fd=self._folder)
            os.pwrite(self._fd, encode(stamp).rstrip().ljust(ALIVE_SIZE - 1) + b"\n", 0)
        except OSError:
            return  # then less is known after a power cut

    def close(self) -> None:
        """Let go."""
        if self._fd >= 0:
            os.close(self._fd)


def _last_sign(folder: int) -> str:
    try:
        fd = os.open(ALIVE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return ""
    try:
        data = os.read(fd, ALIVE_SIZE)
        return data.decode().strip() if decode(data) else ""
    except (OSError, UnicodeDecodeError):
        return ""
    finally:
        os.close(fd)


class _Quota:
    """How much one unit has written lately."""

    __slots__ = ("begun", "count", "lost")

    def __init__(self) -> None:
        self.begun = 0.0
        self.count = 0
        self.lost = 0

    def admits(self, now: float) -> bool:
        """Tell whether one more entry may be written."""
        if now - self.begun >= SPAN:
            self.begun, self.count = now, 0
        self.count += 1
        if self.count > MOST:
            self.lost += 1
        return self.count <= MOST

    def taken(self) -> int:
        """Return how many were lost, once."""
        lost, self.lost = self.lost, 0
        return lost
