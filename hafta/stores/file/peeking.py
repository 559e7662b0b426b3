"""Reading a file without disturbing its writer.

No lock, no write, and, if possible, no new access time.

A slot that is being written looks damaged to a reader. So a reader that sees damage looks again, until nothing is
damaged or two looks show the same bytes. It returns a record at least as new as the newest one when it began. While the
record is claimed, a bad slot is not reported: either it is being written, or the claim has already reported it.
"""

from __future__ import annotations

import errno
import os

from hafta.errors import StoreError
from hafta.stores.file import layout, lock, names, trust
from hafta.stores.file.descriptors import close, open_to_look
from hafta.stores.protocol import Holder, Incident, Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from select import epoll

    from hafta.stores.file.layout import Image

LOOKS = 20  # how often to look at a file that changes each time: what looks damaged is being written

_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_LARGEST = layout.FIRST + layout.SLOTS * layout.LARGEST_SLOT


def peek(path: str) -> Snapshot | None:
    """Return the state of the record in a file. None: there is no such file. Raises StoreError."""
    try:
        file = _open(path)
        try:
            trust.check_regular(os.fstat(file.fileno()), path)
            return _seen(file.fileno(), path)
        finally:
            close(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise trust.explained(error, path) from error


def look(directory: str, name: str, sequence: str, instance: str) -> Snapshot | None:
    """Return the same. An error becomes an incident, so that one bad file does not hide the others."""
    path = os.path.join(directory, name)
    try:
        return peek(path)
    except StoreError as error:
        trouble = Incident(error.kind, error.message)
        return Snapshot(sequence, instance, path, None, 0.0, None, held=False, incidents=(trouble,))


def read(fd: int) -> bytes:
    """Return the file, with layout.UNREADABLE for each page that the disk cannot read."""
    size = min(os.fstat(fd).st_size, _LARGEST)
    try:
        return os.pread(fd, size, 0)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
    return b"".join(_page(fd, offset, size) for offset in range(0, size, layout.PAGE))


def damage(path: str, image: Image) -> list[Incident]:
    """Return what is wrong with the damaged slots."""
    used = f"record {image.saved.number} from slot {image.newest} is used"
    return [Incident("damaged", f"{path}: slot {slot}: {reason}; {used}") for slot, reason in image.bad.items()]


def note(fd: int) -> Holder | None:
    """Return who has, or had, the claim."""
    try:
        return lock.read_note(os.pread(fd, layout.PAGE, 0))
    except OSError:
        return None


def _open(path: str) -> epoll:
    try:
        return open_to_look(path, _LOOK | os.O_NOATIME)
    except PermissionError:
        return open_to_look(path, _LOOK)  # only the owner may use O_NOATIME; for others the access time changes


def _page(fd: int, offset: int, size: int) -> bytes:
    try:
        return os.pread(fd, min(layout.PAGE, size - offset), offset)
    except OSError:
        return layout.UNREADABLE


def _beginning(fd: int) -> bytes:
    try:
        return os.pread(fd, layout.FIRST + layout.HEAD_SIZE, 0)
    except OSError:
        return b""


def _has_heads(fd: int) -> bool:
    """Tell whether a slot begins as a record does, or cannot be read: else there is no need to read the whole file."""
    size = min(os.fstat(fd).st_size, _LARGEST)
    try:
        places = layout.begins(_beginning(fd), size)
        return any(os.pread(fd, len(layout.MAGIC), place) == layout.MAGIC for place in places)
    except OSError:
        return True


def _seen(fd: int, path: str) -> Snapshot:
    sequence, instance = names.parse(os.path.basename(path)) or ("", "")
    held = lock.is_locked(fd)
    saved = None
    try:
        image = _settled(fd, path)
    except StoreError as error:
        incidents = [Incident(error.kind, error.message)]
    else:
        saved = image.saved if image.saved.frame or image.saved.body else None
        incidents = [] if held or lock.is_locked(fd) else damage(path, image)
    info = os.fstat(fd)
    return Snapshot(sequence, instance, path, saved, info.st_mtime, note(fd), held, tuple(incidents), info.st_uid)


def _settled(fd: int, path: str) -> Image:
    before = b""
    if not _has_heads(fd):
        raise layout.hopeless(_beginning(fd), os.fstat(fd).st_size, path)  # the rest, however long, cannot count
    for _ in range(LOOKS):
        data = read(fd)
        if data == before:
            break
        try:
            image = layout.read(data, path)
        except StoreError:
            pass  # the next look shows whether that is still so
        else:
            if not image.bad:
                return image
        before = data
    return layout.read(before, path)
