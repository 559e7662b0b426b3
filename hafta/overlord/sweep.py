"""Files in /tmp are swept: by age, or by somebody who tidies up. Ours must live as long as the overlord.

Rules
1. The keeper touches them every FRESH seconds, so that they do not look old. The overlord need not wake up for that.
2. The kernel says when one of them goes (inotify). What is missing is then made once more: directories, the notify
   socket, the locks, the roll, and the runtime directories of the units that are up. What services had in them is lost.
3. The keeper is entrusted with the new locks and the new roll, because it has the old ones.
4. That a lock is held does not depend on its file (locks.py). So no other overlord can come in between.
"""

from __future__ import annotations

import os
from contextlib import suppress

from hafta.overlord import locks
from hafta.overlord.dirs import make_private
from hafta.overlord.heir import write_folders
from hafta.process.inotify import Removals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hafta.overlord.estate import Estate
    from hafta.process.loop import Loop

PAUSE = 0.2  # seconds in which a sweep may come to its end
_KEY = ("sweep", "")


def is_swept(path: str) -> bool:
    """Tell whether files may be removed there behind our back."""
    return not f"{path}/".startswith("/run/")


class Lookout:
    """Calls back when something of an estate is missing."""

    def __init__(self, loop: Loop, missing: Callable[[], None]) -> None:
        self._loop = loop
        self._missing = missing
        self._removals: Removals | None = None
        self._watched: tuple[str, ...] = ()

    def watch(self, estate: Estate) -> None:
        """Look after the directories of an estate. Without inotify nobody looks."""
        control = os.path.dirname(estate.own)
        self._watched = (control, os.path.join(control, "lock"), estate.own)
        if self._removals is None:
            with suppress(OSError):
                self._removals = Removals()
                self._loop.watch(self._removals, self._heard)
        self._add()

    def _add(self) -> None:
        if self._removals:
            for path in self._watched:
                self._removals.add(path)

    def _heard(self) -> None:
        if self._removals:
            self._removals.clear()
        self._loop.set_timer(_KEY, PAUSE, self._missing)

    def close(self) -> None:
        """Look no longer."""
        self._loop.clear_timer(_KEY)
        if self._removals:
            self._loop.forget(self._removals)
            self._removals.close()
            self._removals = None


def is_whole(estate: Estate, notify_path: str, notify_inode: int) -> bool:
    """Tell whether all files of an overlord are where they should be."""
    held = ((lock.fd, lock.path) for lock in estate.locks)
    with suppress(OSError):
        return (
            os.lstat(notify_path).st_ino == notify_inode
            and locks.is_current(estate.roll.fd, estate.roll.path)
            and all(locks.is_current(fd, path) for fd, path in held)
        )
    return False


def restore(estate: Estate, mode: int) -> Estate:
    """Make directories, locks and roll once more where they are missing. Raises OSError or HaftaError."""
    control = os.path.dirname(estate.own)
    for path in (estate.runtime, control, estate.own):
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        make_private(path, mode)
    make_private(os.path.join(control, "lock"))
    write_folders(estate.own, estate.names, estate.links)
    estate.roll.restore()
    return estate.replace(locks=tuple(locks.restore(lock) for lock in estate.locks))


def touch(estate: Estate) -> None:
    """Have the files of an overlord look used (rule 1)."""
    if not is_swept(estate.runtime):
        return
    for path in _paths(estate):
        with suppress(OSError):
            os.utime(path, follow_symlinks=False)


def _paths(estate: Estate) -> Iterator[str]:
    control = os.path.dirname(estate.own)
    yield from (estate.runtime, control, os.path.join(control, "lock"), estate.own, estate.roll.path)
    yield from (lock.path for lock in estate.locks)
    yield from (os.path.join(estate.runtime, name) for name in estate.names)
    with suppress(OSError):
        yield from (os.path.join(estate.own, name) for name in os.listdir(estate.own))
