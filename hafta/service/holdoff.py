"""Restart hold-off: a service that keeps crashing holds itself back, the same on every systemd.

systemd 252 cannot slow restarts down (RestartSteps= came with 254), and a unit that it gives up stays down. So the
unit restarts at once, and the service counts its own crashes in its runtime directory, which outlives a restart:

1. A run that ends by itself with status 0, or lasts STABLE seconds, ends the row of crashes.
2. Crash n in a row is followed by a wait of delay(n) seconds before READY.
3. delay(n) = 0 for n <= FREE, then FIRST, doubling with each crash, at most CAP.
4. The count that cannot be kept (full disk, no permission) waits UNCOUNTED: a service that forgets must not spin.

So a crash a second goes on for ever: the fifth crash is the last that is restarted at once, and from the eleventh on
there is one start in CAP + 1 seconds. A program that dies before it gets here is stopped by the unit's StartLimitBurst.
"""

from __future__ import annotations

import os
import struct

from hafta import directories
from hafta.record import Record

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


class Row(Record):
    """Crashes in a row, and when the newest run began (seconds, monotonic clock)."""

    crashes: int
    started: float


def delay(crashes: int) -> float:
    """Return how many seconds to hold back after so many crashes in a row."""
    return 0.0 if crashes <= FREE else min(CAP, FIRST * 2.0 ** min(crashes - FREE - 1, 32))


def next_row(last: Row | None, now: float) -> Row:
    """Return the row as this start sees it, given what the last one left."""
    if last is None or not 0 <= now - last.started < STABLE:
        return Row(0, now)
    return Row(last.crashes + 1, now)


class Holdoff:
    """The count of one service, in a file of its runtime directory; without such a directory it counts nothing."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        directory = directories.first(environ.get("RUNTIME_DIRECTORY", ""))
        self.path = os.path.join(directory, f"{name}.starts") if directory else ""
        self.trouble = ""  # why the newest start could not be counted

    def begin(self, now: float) -> tuple[int, float]:
        """Count this start. Return the crashes in a row and the seconds to hold back."""
        if not self.path:
            return 0, 0.0
        row = next_row(self._load(), now)
        self.trouble = self._save(row)
        if self.trouble:
            return row.crashes, max(UNCOUNTED, delay(row.crashes))
        return row.crashes, delay(row.crashes)

    def held(self, crashes: int, now: float) -> None:
        """Let the run count from now: being held back is not running."""
        if self.path:
            self._save(Row(crashes, now))

    def end(self) -> None:
        """End the row: this run ended well."""
        if self.path:
            self._save(Row(0, float("-inf")))

    def _load(self) -> Row | None:
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            magic, crashes, started = _LAYOUT.unpack(os.read(fd, _LAYOUT.size))
        except (OSError, struct.error):
            return None  # a cut or foreign file tells nothing; the row begins anew
        finally:
            os.close(fd)
        return Row(crashes, started) if magic == _MAGIC else None

    def _save(self, row: Row) -> str:
        """Write the row; return what keeps it from that, if anything."""
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
