"""Claiming a file: find or make it, lock it, read it, repair it, and have it ready for writing.

1. A new file is made under a temporary name: whole, synced and locked. Then it is linked to its real name: `link` fails
   if another process was faster, while `rename` would replace the other one's file.
2. After locking a file, check that its name still leads to it: it may have been discarded in between.
3. Killed creators leave temporary files. Every later claim removes those that are not locked, so a live creator keeps
   its own. A creator whose file was removed all the same, before it was locked, starts over.
4. At the level power, a record is written again and synced before it is handed out. The same is done if anything was
   damaged.
5. Where there are no hard links, each creator locks the directory (flock) for two system calls: it checks whether the
   file exists by now, and renames its own only if not.

Invariant: a file that has its real name is whole, and at most one process can write to it.
"""

from __future__ import annotations

import errno
import fcntl
import gc
import os
import time

from hafta.errors import StoreError
from hafta.frozen import Frozen
from hafta.stores import forks, holder
from hafta.stores.file import layout, lock, names, peeking, trust
from hafta.stores.file.descriptors import close, open_file
from hafta.stores.file.writing import FileClaim
from hafta.stores.protocol import Holder, Incident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _io import FileIO

HANDOVER = 1.0  # seconds to wait for the lock of a process that has just died: its children may be about to exec
TRIES = 100  # how often a file may be replaced while we try to lock it, before that is an error

#: The errors of `link` on a file system without hard links (vfat, exFAT, some FUSE and network ones).
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL})
_OPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Place(Frozen):
    """Where a file is."""

    directory: str
    name: str

    @property
    def path(self) -> str:
        """The path, for messages."""
        return os.path.join(self.directory, self.name)


def claim(place: Place, slot_size: int, *, power: bool) -> FileClaim:
    """Return the claim of a file. Raises StoreError or OSError."""
    file = None
    try:
        directory = trust.open_directory(place.directory, make=True)
        try:
            file, made = _take(directory.fileno(), place, slot_size)
            sweep(directory.fileno(), place.name)
        finally:
            close(directory)
        return _opened(file, place.path, power=power, made=made)
    except BaseException:
        if file is not None:
            close(file)
        raise


def discard(place: Place) -> None:
    """Remove a file that no process has claimed. Raises StoreError, FileNotFoundError or another OSError."""
    directory = trust.open_directory(place.directory, removing=True)
    fd = directory.fileno()
    try:
        close(_lock(fd, place, unlink=True))
        sweep(fd, place.name)
        trust.sync_names(fd)
    finally:
        close(directory)


def sweep(directory: int, name: str) -> None:
    """Remove what killed creators of `name` left (rule 3)."""
    for entry in os.listdir(directory):
        if not names.is_temporary(entry, name):
            continue
        try:
            file = open_file(entry, _OPEN, directory=directory)
        except OSError:
            continue  # removed meanwhile, or not ours: it does not matter
        try:
            if os.fstat(file.fileno()).st_nlink > 1 or lock.lock(file.fileno()):  # killed between link and unlink
                _remove(directory, entry)
        finally:
            close(file)


def _take(directory: int, place: Place, slot_size: int) -> tuple[FileIO, bool]:
    """Return the locked file, and whether it was made just now and its name is on the disk."""
    for _ in range(TRIES):
        try:
            return _lock(directory, place), False
        except FileNotFoundError:
            sweep(directory, place.name)
        made = _create(directory, place.name, slot_size)
        if made is not None:
            return made
    raise _replaced(place.path)


def _lock(directory: int, place: Place, *, unlink: bool = False) -> FileIO:
    """Return the file, locked (rule 2); `unlink` removes its name. Raises FileNotFoundError, StoreError "held"."""
    for _ in range(TRIES):
        file = _open(directory, place.name, _OPEN)
        try:
            info = trust.check_file(file.fileno(), place.path, removing=unlink)
            _lock_waiting(file.fileno(), place.path)
            if os.path.samestat(info, os.stat(place.name, dir_fd=directory, follow_symlinks=False)):
                if unlink:
                    os.unlink(place.name, dir_fd=directory)
                return file
        except BaseException:
            close(file)
            raise
        close(file)
    raise _replaced(place.path)


def _lock_waiting(fd: int, path: str) -> None:
    """Take the lock. Wait a little only if its holder is dead already. Raises StoreError of kind "held"."""
    deadline = 0.0
    while not lock.lock(fd):
        who = peeking.note(fd)
        if holder.is_myself(who) and not deadline:
            gc.collect()  # an interrupt may have left a forgotten claim in a circle of references
        elif (deadline and time.monotonic() > deadline) or not holder.is_gone(who):
            raise _held(path, who)
        deadline = deadline or time.monotonic() + HANDOVER  # collecting may have taken longer than that
        time.sleep(0.005)


def _create(directory: int, name: str, slot_size: int) -> tuple[FileIO, bool] | None:
    """Make the file (rule 1), and tell whether its name is on the disk. None: another process was faster."""
    temporary = names.temporary_name(name, os.getpid(), time.monotonic_ns())
    file = _open(directory, temporary, _OPEN | os.O_CREAT | os.O_EXCL)
    fd = file.fileno()
    try:
        try:
            published = lock.lock(fd) and _fill(fd, slot_size) and _publish(directory, temporary, name)
        finally:
            _remove(directory, temporary)
        if published:
            return file, trust.sync_names(directory)
    except BaseException:
        close(file)
        raise
    close(file)
    return None


def _open(directory: int, name: str, flags: int) -> FileIO:
    """Open a file that is going to be locked. A forked child closes its copy, which would keep the lock."""
    file = open_file(name, flags, directory=directory)
    forks.adopt_file(file)
    return file


def _fill(fd: int, slot_size: int) -> bool:
    data = layout.blank(layout.Geometry(slot_size, os.urandom(8)))
    os.posix_fallocate(fd, 0, len(data))
    if os.pwrite(fd, data, 0) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(fd)
    return True


def _publish(directory: int, temporary: str, name: str) -> bool:
    """Give the file its name. False: there is one already, or another process removed ours before it was locked."""
    try:
        os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    except (FileExistsError, FileNotFoundError):
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            return _rename(directory, temporary, name)
        except FileNotFoundError:
            return False
    return True


def _rename(directory: int, temporary: str, name: str) -> bool:
    """Give the file its name without hard links (rule 5). False: there is one already, or ours was removed."""
    deadline = time.monotonic() + HANDOVER
    while not _flock(directory):
        if time.monotonic() > deadline:
            raise StoreError(f"{name}: another process is just making a record", "try again", kind="system")
        time.sleep(0.005)
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        return True
    finally:
        fcntl.flock(directory, fcntl.LOCK_UN)
    return False


def _flock(directory: int) -> bool:
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove(directory: int, entry: str) -> None:
    try:
        os.unlink(entry, dir_fd=directory)
    except FileNotFoundError:
        return  # another process has removed it


def _opened(file: FileIO, path: str, *, power: bool, made: bool) -> FileClaim:
    """Return the claim of a locked file: read it, repair it, note the holder."""
    fd = file.fileno()
    info = os.fstat(fd)
    image = layout.read(peeking.read(fd), path)
    incidents = peeking.damage(path, image)
    if info.st_size < image.geometry.size():
        text = f"{path}: only {info.st_size} of {image.geometry.size()} bytes were left; it has its full size again"
        incidents.append(Incident("truncated", text))
        os.posix_fallocate(fd, 0, image.geometry.size())
    claimed = FileClaim(file, path, image, named=made)
    if image.bad or image.single or image.pinned is None or (power and not made):
        claimed.resync()
    claimed.incidents[:0] = incidents + _sign(fd, path, info)
    return claimed


def _sign(fd: int, path: str, info: os.stat_result) -> list[Incident]:
    """Note who has the claim. The file's time stays that of the newest record. Both are only for people."""
    try:
        os.pwrite(fd, lock.note(), 0)
        os.utime(fd, ns=(info.st_atime_ns, info.st_mtime_ns))
    except OSError as error:
        return [Incident("holder", f"{path}: cannot note who has the claim: {error.strerror}")]
    return []


def _held(path: str, who: Holder | None) -> StoreError:
    hint = "only one process at a time may run a sequence instance: stop that one, or give this one another instance="
    return StoreError(f"{path}: held by {holder.describe(who)}", hint, kind="held")


def _replaced(path: str) -> StoreError:
    return StoreError(
        f"{path}: the file keeps being replaced while we try to lock it",
        "find out which process deletes it",
        kind="system",
    )
