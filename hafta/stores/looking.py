"""Reading a file without disturbing whoever writes it.

No lock, no write, not even an access time where that can be helped.

A slot that is being written looks damaged to a reader. So a reader that sees damage looks again, until nothing is
damaged or two looks show the same bytes. What it returns is at least as new as what was the newest when it began.
While somebody has the claim, a bad slot is no news: it is being written, or the claim has told of it.
"""

from __future__ import annotations

import errno
import os

from hafta.errors import StoreError
from hafta.stores import holder, layout, names, trust
from hafta.stores.protocol import Holder, Incident, Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.stores.layout import Image

LOOKS = 20  # at a file that changes each time: then what looks damaged is being written

_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_LARGEST = layout.FIRST + layout.SLOTS * layout.LARGEST_SLOT


def peek(path: str) -> Snapshot | None:
    """Return where the record in a file stands. None: there is no such file. Raises StoreError."""
    try:
        fd = _open(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise trust.explained(error, path) from error
    try:
        trust.check_regular(os.fstat(fd), path)
        return _seen(fd, path)
    except OSError as error:
        raise trust.explained(error, path) from error
    finally:
        trust.shut(fd)


def look(directory: str, name: str, sequence: str, instance: str) -> Snapshot | None:
    """Return the same; what makes it impossible is an incident, so that one bad file does not hide the others."""
    path = os.path.join(directory, name)
    try:
        return peek(path)
    except StoreError as error:
        trouble = Incident(error.kind, error.message)
        return Snapshot(sequence, instance, path, None, 0.0, None, held=False, incidents=(trouble,))


def read(fd: int) -> bytes:
    """Return the file, with layout.UNREADABLE for each page that the disk does not give back."""
    size = min(os.fstat(fd).st_size, _LARGEST)
    try:
        return os.pread(fd, size, 0)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
    return b"".join(_page(fd, offset, size) for offset in range(0, size, layout.PAGE))


def damage(path: str, image: Image) -> list[Incident]:
    """Return what is wrong with the slots that do not count."""
    used = f"record {image.saved.number} from slot {image.newest} is used"
    return [Incident("damaged", f"{path}: slot {slot}: {reason}; {used}") for slot, reason in image.bad.items()]


def note(fd: int) -> Holder | None:
    """Return who has, or had, the claim."""
    try:
        return holder.read(os.pread(fd, layout.PAGE, 0))
    except OSError:
        return None


def _open(path: str) -> int:
    try:
        return os.open(path, _LOOK | os.O_NOATIME)
    except PermissionError:
        return os.open(path, _LOOK)  # O_NOATIME is for the owner; others leave an access time


def _page(fd: int, offset: int, size: int) -> bytes:
    try:
        return os.pread(fd, min(layout.PAGE, size - offset), offset)
    except OSError:
        return layout.UNREADABLE


def _seen(fd: int, path: str) -> Snapshot:
    sequence, instance = names.parse(os.path.basename(path)) or ("", "")
    held = holder.is_locked(fd)
    saved = None
    try:
        image = _settled(fd, path)
    except StoreError as error:
        incidents = [Incident(error.kind, error.message)]
    else:
        saved = image.saved if image.saved.frame or image.saved.body else None
        incidents = [] if held or holder.is_locked(fd) else damage(path, image)
    written = os.fstat(fd).st_mtime
    return Snapshot(sequence, instance, path, saved, written, note(fd), held, tuple(incidents))


def _settled(fd: int, path: str) -> Image:
    before = b""
    for _ in range(LOOKS):
        data = read(fd)
        if data == before:
            break
        try:
            image = layout.read(data, path)
        except StoreError:
            pass  # the next look tells whether it stays so
        else:
            if not image.bad:
                return image
        before = data
    return layout.read(before, path)
