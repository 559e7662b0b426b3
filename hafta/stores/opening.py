"""Claiming a file: found or made, locked, read, mended, and ready to be written.

1. Whoever makes the file makes it under a name of its own, whole, synced and locked, and then links it to its name:
   `link` fails where another was faster, while `rename` would take the file from under that one.
2. Whoever has locked a file looks whether its name still leads to it: it may have been discarded in between.
3. Temporary files that killed creators left are removed by every later claim: those that nobody has locked, so that a
   live creator keeps its own; one that loses its file all the same (swept before it was locked) starts over.
4. Before a record is handed out as durable it is written again and synced, and so it is where anything was damaged.

Invariant: a file that has its name is whole, and at most one process can write to it.
"""

from __future__ import annotations

import errno
import os
import time

from hafta.errors import StoreError
from hafta.record import Record
from hafta.stores import forks, holder, layout, looking, names, trust
from hafta.stores.protocol import Holder, Incident
from hafta.stores.slots import FileClaim

HANDOVER = 1.0  # seconds to wait for the lock of a process that has just died: its children may be about to exec
TRIES = 100  # how often a file may be exchanged under us before we say so

_OPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Place(Record):
    """Where a file stands."""

    directory: str
    name: str

    @property
    def path(self) -> str:
        """The path, for messages."""
        return os.path.join(self.directory, self.name)


def claim(place: Place, slot_size: int, *, durable: bool) -> FileClaim:
    """Return the claim of a file. Raises StoreError or OSError."""
    directory = trust.open_directory(place.directory, make=True)
    try:
        fd, made = _take(directory, place, slot_size)
        try:
            sweep(directory, place.name)
            claimed = _opened(fd, place.path, durable=durable, made=made)
        except BaseException:
            _shut(fd)
            raise
        forks.release_file(fd)  # it is the claim's now
        return claimed
    finally:
        trust.shut(directory)


def discard(place: Place) -> None:
    """Remove a file that nobody has claimed. Raises StoreError, FileNotFoundError or another OSError."""
    directory = trust.open_directory(place.directory, removing=True)
    try:
        _shut(_lock(directory, place, unlink=True))
        sweep(directory, place.name)
        os.fsync(directory)
    finally:
        trust.shut(directory)


def sweep(directory: int, name: str) -> None:
    """Remove what killed creators of `name` left (rule 3)."""
    for entry in os.listdir(directory):
        if not names.is_temporary(entry, name):
            continue
        try:
            fd = os.open(entry, _OPEN, dir_fd=directory)
        except OSError:
            continue  # gone meanwhile, or none of ours: in no case in the way
        try:
            if os.fstat(fd).st_nlink > 1 or holder.lock(fd):  # two names: killed between link and unlink
                _remove(directory, entry)
        finally:
            trust.shut(fd)


def _take(directory: int, place: Place, slot_size: int) -> tuple[int, bool]:
    """Return the locked file, and whether it was made just now."""
    for _ in range(TRIES):
        try:
            return _lock(directory, place), False
        except FileNotFoundError:
            sweep(directory, place.name)
        fd = _create(directory, place.name, slot_size)
        if fd is not None:
            return fd, True
    raise _exchanged(place.path)


def _lock(directory: int, place: Place, *, unlink: bool = False) -> int:
    """Return the file, locked (rule 2); `unlink` takes its name. Raises FileNotFoundError, StoreError "held"."""
    for _ in range(TRIES):
        fd = _open(directory, place.name, _OPEN)
        try:
            info = trust.check_file(fd, place.path, removing=unlink)
            _lock_waiting(fd, place.path)
            if os.path.samestat(info, os.stat(place.name, dir_fd=directory, follow_symlinks=False)):
                if unlink:
                    os.unlink(place.name, dir_fd=directory)
                return fd
        except BaseException:
            _shut(fd)
            raise
        _shut(fd)
    raise _exchanged(place.path)


def _lock_waiting(fd: int, path: str) -> None:
    """Take the lock; wait a little only where its holder is dead already. Raises StoreError of kind "held"."""
    deadline = 0.0
    while not holder.lock(fd):
        now = time.monotonic()
        deadline = deadline or now + HANDOVER
        if now > deadline or not holder.is_gone(looking.note(fd)):
            raise _held(path, looking.note(fd))
        time.sleep(0.005)


def _create(directory: int, name: str, slot_size: int) -> int | None:
    """Make the file (rule 1). None: another process was faster."""
    temporary = names.temporary_name(name, os.getpid(), time.monotonic_ns())
    fd = _open(directory, temporary, _OPEN | os.O_CREAT | os.O_EXCL)
    published = False
    try:
        try:
            published = holder.lock(fd) and _fill(fd, slot_size) and _publish(directory, temporary, name)
        finally:
            _remove(directory, temporary)
        if published:
            os.fsync(directory)
            return fd
    except BaseException:
        _shut(fd)
        raise
    _shut(fd)
    return None


def _open(directory: int, name: str, flags: int) -> int:
    """Open a file that is to be locked; a forked child's copy would keep the lock, so it is closed there."""
    fd = os.open(name, flags, 0o600, dir_fd=directory)
    forks.adopt_file(fd)
    return fd


def _shut(fd: int) -> None:
    forks.release_file(fd)
    trust.shut(fd)


def _fill(fd: int, slot_size: int) -> bool:
    data = layout.blank(layout.Geometry(slot_size, os.urandom(8)))
    os.posix_fallocate(fd, 0, len(data))
    if os.pwrite(fd, data, 0) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(fd)
    return True


def _publish(directory: int, temporary: str, name: str) -> bool:
    """Give the file its name. False: there is one already, or a sweeper took ours before we had locked it."""
    try:
        os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    except (FileExistsError, FileNotFoundError):
        return False
    return True


def _remove(directory: int, entry: str) -> None:
    try:
        os.unlink(entry, dir_fd=directory)
    except FileNotFoundError:
        return  # swept by another process


def _opened(fd: int, path: str, *, durable: bool, made: bool) -> FileClaim:
    """Return the claim of a locked file: read, mended, signed."""
    info = os.fstat(fd)
    image = layout.read(looking.read(fd), path)
    incidents = looking.damage(path, image)
    if info.st_size < image.geometry.size():
        text = f"{path}: {info.st_size} bytes of {image.geometry.size()}; it has its full size again"
        incidents.append(Incident("truncated", text))
        os.posix_fallocate(fd, 0, image.geometry.size())
    claimed = FileClaim(fd, path, image, named=made)
    try:
        if image.bad or image.pinned is None or (durable and not made):
            claimed.resync()
        claimed.incidents[:0] = incidents + _sign(fd, path, info)
    except BaseException:
        claimed.abandon()
        raise
    return claimed


def _sign(fd: int, path: str, info: os.stat_result) -> list[Incident]:
    """Leave the note about us; the file's time stays that of the newest record. Only people need either."""
    try:
        os.pwrite(fd, holder.note(), 0)
        os.utime(fd, ns=(info.st_atime_ns, info.st_mtime_ns))
    except OSError as error:
        return [Incident("holder", f"{path}: cannot note who has the claim: {error.strerror}")]
    return []


def _held(path: str, who: Holder | None) -> StoreError:
    hint = "only one process at a time may run a sequence instance: stop that one, or give this one another instance="
    return StoreError(f"{path}: held by {holder.tell(who)}", hint, kind="held")


def _exchanged(path: str) -> StoreError:
    return StoreError(f"{path}: it is exchanged again and again", "find out who removes it", kind="system")
