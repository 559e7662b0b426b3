"""One measurement for `hafta metrics`: a look, the count since the last one, and the file in which that is kept."""

from __future__ import annotations

import fcntl
import os
import stat
import time

from hafta import exits
from hafta.causes import cause_of
from hafta.directories import first
from hafta.errors import HaftaError
from hafta.frozen import Frozen
from hafta.observe import words
from hafta.observe.kept import Strange
from hafta.observe.metrics import of_look, of_unit
from hafta.observe.sources.counting import Count, monotonic
from hafta.observe.sources.look import look
from hafta.trust import is_own, is_shared
from hafta.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hafta.observe.metrics import Sample
    from hafta.observe.sources.counting import Counted
    from hafta.observe.state import Now, Service

NAME = "totals.json"
MOST = 64 << 20  # bytes of it


class Measured(Frozen):
    """All samples; the numbers of restorations, by unit; what could not be seen; whether anything could be."""

    samples: tuple[Sample, ...]
    histograms: Mapping[str, Mapping[tuple[str, ...], int]]
    missing: tuple[str, ...]
    is_any: bool


class Kept:
    """The file with the totals, and its lock, as long as it is open. Without a directory there is none."""

    def __init__(self, directory: str) -> None:
        self._directory = os.path.abspath(first(directory)) if directory else ""
        self._lock = -1
        if not directory:
            return
        try:
            os.makedirs(self._directory, 0o700, exist_ok=True)
            info = os.stat(self._directory)
            if not is_own(info) or is_shared(info):
                raise _refused(f"{self._directory}: others may write there")
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._lock = os.open(os.path.join(self._directory, "lock"), flags, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "let it end, or give each its own --state"
            raise HaftaError(f"another hafta metrics counts in {self._directory}", hint, status=exits.IN_USE) from None
        except OSError as error:
            raise _refused(f"{self._directory}: {cause_of(error).words}") from error

    def close(self) -> None:
        """Let others count."""
        if self._lock >= 0:
            os.close(self._lock)

    def read(self) -> str:
        """Return what it says; empty: there is none yet. Raises HaftaError."""
        if self._lock < 0:
            return ""
        path = os.path.join(self._directory, NAME)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise _refused(f"{path}: {cause_of(error).words}") from error
        with os.fdopen(fd, "rb") as file:
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode) or not is_own(info) or is_shared(info) or info.st_size > MOST:
                raise _refused(f"{path}: it is not a file that only we or root may write")
            return file.read(MOST).decode(errors="replace")

    def write(self, text: str) -> None:
        """Replace it in one step, on the disk before it counts. Raises HaftaError."""
        if self._lock < 0:
            return
        path = os.path.join(self._directory, NAME)
        try:
            fd = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(fd)
            os.rename(f"{path}.new", path)
        except OSError as error:
            raise _refused(f"{path}: {cause_of(error).words}") from error

    def set_aside(self) -> str:
        """Rename what is not understood; return its new path."""
        path = os.path.join(self._directory, NAME)
        os.rename(path, f"{path}.damaged")
        return f"{path}.damaged"


def measure(directory: str, environ: Mapping[str, str], *, of_user: bool) -> Measured:
    """Look and count. `directory`: where totals are kept; empty: all is counted from where the journal begins.

    Raises HaftaError if totals cannot be kept.
    """
    kept = Kept(directory)
    try:
        return _measured(kept, environ, of_user=of_user)
    finally:
        kept.close()


def _measured(kept: Kept, environ: Mapping[str, str], *, of_user: bool) -> Measured:
    begun, at = time.monotonic(), time.time()
    missing: list[str] = []
    count = _count(kept, missing, os.getuid() if of_user else None)
    asked = monotonic()
    seen = look((), environ, of_user=of_user, log=False)
    services = {one.unit: one for one in seen.services if one.overlord}
    missing += seen.missing
    if count is not None and (others := [unit for unit in count.folds if unit not in services]):
        services |= {one.unit: one for one in look(others, environ, of_user=of_user, log=False).services}
    numbers: dict[str, Counted] = {}
    if count is not None:
        facts = {unit: one.facts for unit, one in services.items() if one.overlord == words.SYSTEMD}
        numbers = count.numbers(facts, asked)
        kept.write(count.kept())
        missing += count.journal.missing
        cut = [unit for unit, one in numbers.items() if one.is_cut]
        missing += [f"{unit}: more names than are counted apart; see (others)" for unit in cut]
    samples = _samples(services, numbers, seen.now)
    samples += of_look(missing, at, time.monotonic() - begun, VERSION)
    is_any = bool(services) or count is not None
    return Measured(tuple(samples), {unit: one.numbers for unit, one in numbers.items()}, tuple(missing), is_any)


def _samples(services: Mapping[str, Service], numbers: Mapping[str, Counted], now: Now) -> list[Any]:
    units = sorted({*services, *numbers})
    return [one for unit in units for one in of_unit(unit, services.get(unit), numbers.get(unit), now)]


def _count(kept: Kept, missing: list[str], user: int | None) -> Count | None:
    """Return the count, read to the end of the journal; None: the journal cannot be seen."""
    data = kept.read()
    try:
        count = Count(data, user)
    except Strange as error:
        path = kept.set_aside()
        missing.append(f"totals: not understood ({error}); set aside as {path}, and counting begins again")
        count = Count("", user)
    except HaftaError as error:
        missing.append(f"journal: {error.message}; {error.hint}")
        return None
    count.read()
    if count.is_interrupted:
        missing.append("totals: reading could not go on where it ended; what was in between is not counted")
    return count


def _refused(what: str) -> HaftaError:
    hint = "name a directory for --state that belongs to this user, and that nobody else may write to"
    return HaftaError(f"totals cannot be kept: {what}", hint, status=exits.SYSTEM)
