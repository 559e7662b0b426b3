"""Restart hold-off: a service that keeps crashing waits before it starts, with every version of systemd.

systemd 252 cannot slow down restarts (RestartSteps= came with 254), and when it gives up a unit, the unit stays down.
So the unit restarts at once, and the service counts its own crashes in its runtime directory, which survives a restart:

1. A run that ends with status 0, or lasts STABLE seconds, ends the row of crashes.
2. After crash n in a row, the next start waits delay(n) seconds before READY.
3. delay(n) = 0 for n <= FREE, then FIRST, doubling with each crash, at most CAP.
4. A start that cannot be counted (full disk, no permission) waits UNCOUNTED: a service that cannot count must not
   restart in a tight loop.

So a service that crashes one second after each start is restarted for ever. The restart after the fifth crash is the
last one without a wait; from the twelfth crash on there is one start in CAP + 1 seconds. A program that dies before it
gets here is stopped by the unit's StartLimitBurst.
"""

from __future__ import annotations

import os
import struct

from hafta import directories
from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

STABLE = 10.0
FREE = 5
FIRST = 0.1
CAP = 5.0
UNCOUNTED = 1.0

_LAYOUT = struct.Struct("<8sId")  # magic, crashes, start of the run on the monotonic clock
_MAGIC = b"haftaho1"


class Row(Frozen):
    """Crashes in a row, and when the newest run began (seconds, monotonic clock)."""

    crashes: int
    started: float


def delay(crashes: int) -> float:
    """Return how many seconds to wait after this number of crashes in a row."""
    return 0.0 if crashes <= FREE else min(CAP, FIRST * 2.0 ** min(crashes - FREE - 1, 32))


def next_row(last: Row | None, now: float) -> Row:
    """Return the row at this start, given the row that the last start wrote."""
    if last is None or not 0 <= now - last.started < STABLE:
        return Row(0, now)
    return Row(last.crashes + 1, now)


class Holdoff:
    """The count of one service, in a file in its runtime directory. Without such a directory nothing is counted."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        directory = directories.first(environ.get("RUNTIME_DIRECTORY", ""))
        self.path = os.path.join(directory, f"{name}.starts") if directory else ""
        self.trouble = ""  # why the newest start could not be counted

    def begin(self, now: float) -> tuple[int, float]:
        """Count this start. Return the crashes in a row and the seconds to wait."""
        if not self.path:
            return 0, 0.0
        row = next_row(self._load(), now)
        self.trouble = self._save(row)
        if self.trouble:
            return row.crashes, max(UNCOUNTED, delay(row.crashes))
        return row.crashes, delay(row.crashes)

    def held(self, crashes: int, now: float) -> None:
        """Let the run begin now: the wait does not count as running."""
        if self.path:
            self._save(Row(crashes, now))

    def save(self, row: Row) -> None:
        """Note a row that the caller counts itself: a warm parent, which sees each crash of its worker."""
        if self.path:
            self.trouble = self._save(row)

    def end(self) -> None:
        """End the row: this run ended well."""
        if self.path:
            self._save(Row(0, float("-inf")))

    def disown(self) -> None:
        """Count nothing more: this is a forked child, not the service."""
        self.path = ""

    def _load(self) -> Row | None:
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            magic, crashes, started = _LAYOUT.unpack(os.read(fd, _LAYOUT.size))
        except (OSError, struct.error):
            return None  # a truncated file, or not one of ours: a new row begins
        finally:
            os.close(fd)
        return Row(crashes, started) if magic == _MAGIC else None

    def _save(self, row: Row) -> str:
        """Write the row; return why that failed, if it did."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            fd = os.open(self.path, flags, 0o600)
        except OSError as error:
            return error.strerror or str(error)
        try:
            os.pwrite(fd, _LAYOUT.pack(_MAGIC, min(row.crashes, 0xFFFFFFFF), row.started), 0)
        except OSError as error:
            return error.strerror or str(error)
        finally:
            os.close(fd)
        return ""
